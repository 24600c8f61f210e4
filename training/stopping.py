"""Stop a run in order, when a signal or a failed member asks for it."""

import contextlib
import signal
from collections.abc import Iterator


class Stopped(RuntimeError):
    """Training was asked to stop before its last step."""


class Interrupted(Exception):
    """The run was stopped by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stop:
    """Say whether a run was asked to stop: no event, whose lock a second signal would find held by the first one."""

    asked = False

    def ask(self) -> None:
        """Have every thread of the run stop at its next check."""
        self.asked = True

    def check(self) -> None:
        """Raise Stopped if the run was asked to stop."""
        if self.asked:
            raise Stopped


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Give a Stop that Ctrl-C and SIGTERM ask; raise Interrupted once the run has ended in order."""
    stop = Stop()
    received: list[int] = []

    def on_signal(number: int, _: object) -> None:
        received.append(number)
        stop.ask()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except Stopped as error:
        raise Interrupted(received[0]) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
