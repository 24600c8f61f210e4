from collections.abc import Iterator

import pytest

from serving.gateway.errors import Unavailable
from serving.gateway.telemetry.fresh import Fresh


def test_a_value_is_found_again_after_a_second() -> None:
    now = [0.0]
    values: Iterator[int] = iter(range(9))
    value = Fresh(lambda: next(values), lambda: now[0])
    found = []
    for now[0] in (5, 5.9, 6, 6.9, 100):
        found.append(value.get())
    assert found == [0, 0, 1, 1, 2]


def test_a_value_may_be_kept_longer() -> None:
    now = [0.0]
    values: Iterator[int] = iter(range(9))
    value = Fresh(lambda: next(values), lambda: now[0], seconds=10)
    found = []
    for now[0] in (5, 14.9, 15):
        found.append(value.get())
    assert found == [0, 0, 1]


def test_errors_of_the_gateway_are_kept_for_a_moment() -> None:
    now, found = [0.0], list[float]()

    def find() -> int:
        found.append(now[0])
        if now[0] < 2:
            raise Unavailable(f"found at {now[0]}")
        return 7

    value = Fresh(find, lambda: now[0])
    for now[0], at in ((0.0, 0.0), (0.05, 0.0), (0.5, 0.5), (0.55, 0.5)):
        with pytest.raises(Unavailable, match=f"found at {at}"):
            value.get()
    now[0] = 2
    assert value.get() == 7
    assert found == [0, 0.5, 2]


def test_other_errors_are_not_kept() -> None:
    results: list[int] = []
    value = Fresh(lambda: results[0], lambda: 0.0)
    with pytest.raises(IndexError):
        value.get()
    results.append(7)
    assert value.get() == 7
