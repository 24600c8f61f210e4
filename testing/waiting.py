"""Wait for what happens elsewhere."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

T = TypeVar("T")

PAUSE = 0.01  # seconds between two looks


def eventually(look: Callable[[], T], what: str = "it to come true", *, seconds: float = 20) -> T:
    """Return what `look` returns as soon as it is true; fail, naming `what` was waited for, after so many seconds."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(PAUSE)
    return found


def until_answered(channel: grpc.Channel, *, seconds: float) -> None:
    """Return once a model server answers on `channel`; raise RpcError (DEADLINE_EXCEEDED) after so many seconds.

    By a call, not by `grpc.channel_ready_future`, whose thread may fail when the channel is closed soon after.
    """
    ask: Any = channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")
    try:
        ask(b"", timeout=seconds, wait_for_ready=True)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:  # the request names no model
            raise
