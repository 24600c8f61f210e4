"""Wait for events elsewhere."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

T = TypeVar("T")

PATIENCE = 120.0  # seconds a test waits for an event; a busy machine may need many, and an idle one never waits
PAUSES = (0.01, 0.05)  # seconds between two looks: at first, and after long waiting, since looks cost work


def eventually(look: Callable[[], T], what: str = "it to come true", *, seconds: float = PATIENCE) -> T:
    """Return the first true result of `look`; fail, naming `what` was waited for, after so many seconds."""
    until, (pause, longest) = time.monotonic() + seconds, PAUSES
    while not (found := look()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(pause)
        pause = min(1.1 * pause, longest)
    return found


def until_answered(channel: grpc.Channel, *, seconds: float = PATIENCE) -> None:
    """Return once a model server answers on `channel`; raise RpcError (DEADLINE_EXCEEDED) after so many seconds.

    It calls rather than use `grpc.channel_ready_future`, whose thread may fail when the channel is closed soon after.
    """
    ask: Any = channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")
    try:
        ask(b"", timeout=seconds, wait_for_ready=True)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:  # the request names no model
            raise


class Clock:
    """A clock that stands still until a test moves it; `now` is in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
