import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from training.stopping import Interrupted, Stop, Stopped, stop_on_signals


@pytest.fixture
def untraced() -> Iterator[None]:
    before = sys.gettrace()
    yield
    sys.settrace(before)


def test_nothing_stops_that_was_not_asked_to() -> None:
    with stop_on_signals() as stop:
        stop.check()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_and_is_named(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, stop_on_signals() as stop:
        signal.raise_signal(number)
        stop.check()
    assert caught.value.number == number
    assert signal.getsignal(number) is before


def test_another_end_than_a_stop_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="it broke"), stop_on_signals():
        raise ValueError("it broke")


@pytest.mark.usefixtures("untraced")
def test_a_second_signal_may_come_at_any_line_of_the_first_ones_handler() -> None:
    """A lock that the handler takes would be waited for without end."""
    lines = []

    def second(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            lines.append(frame.f_lineno)
            signal.raise_signal(signal.SIGTERM)
        return second

    with pytest.raises(Interrupted) as caught, stop_on_signals() as stop:
        sys.settrace(second)
        signal.raise_signal(signal.SIGINT)
        sys.settrace(None)
        stop.check()
    assert len(lines) >= 2
    assert caught.value.number in (signal.SIGINT, signal.SIGTERM)


def test_a_check_raises_once_it_was_asked() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        stop.check()
