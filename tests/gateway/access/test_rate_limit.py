import pytest

from serving.gateway.access import rate_limit
from serving.gateway.access.rate_limit import RateLimit
from testing.waiting import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_then_one_an_interval(clock: Clock) -> None:
    limit = RateLimit(2.0, 3, clock)
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    clock.now += 0.25
    assert limit.take("a") == 0.25
    clock.now += 0.25
    assert [limit.take("a"), limit.take("a")] == [0, 0.5]


def test_a_bucket_fills_up_again_and_no_further(clock: Clock) -> None:
    limit = RateLimit(2.0, 3, clock)
    for pause in (0, 1.5, 1000):
        clock.now += pause
        assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_charge_is_paid_off_before_the_next_request(clock: Clock) -> None:
    limit = RateLimit(1.0, 2, clock)
    limit.take("a")
    limit.charge("a", 10)
    assert [limit.take("a"), limit.take("b")] == [10, 0]


def test_a_charge_of_nothing_changes_nothing(clock: Clock) -> None:
    limit = RateLimit(1.0, 2, clock)
    limit.charge("a", 0)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 1]


def test_clients_do_not_share(clock: Clock) -> None:
    limit = RateLimit(1.0, 1, clock)
    assert [limit.take(client) for client in "aabba"] == [0, 1, 0, 1, 1]


def test_who_has_a_full_bucket_is_forgotten(clock: Clock) -> None:
    limit = RateLimit(1.0, 1, clock)
    for client in range(100):
        limit.take(str(client))
    clock.now += 1
    limit.take("last")
    assert list(limit._full) == ["last"]


def test_no_more_are_remembered_than_there_is_room_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 3)
    limit = RateLimit(1.0, 1, clock)
    for client in "abacd":
        limit.take(client)
    assert list(limit._full) == ["b", "c", "d"]
