from dataclasses import replace

import pytest

from serving.gateway.server.connections import REPLACED, Connections
from serving.gateway.server.limits import Limits, Refusal, Refused
from serving.gateway.settings import Settings
from testing.waiting import Clock


class Fake:
    """A connection that notes how it ended."""

    def __init__(self, shares: Connections, address: str) -> None:
        self.dropped = False
        self.refused: Refusal | None = None
        self._shares = shares
        shares.add(self, address)

    def drop(self) -> None:
        self.dropped = True

    def refuse(self, refused: Refused) -> None:
        self.refused = refused.refusal

    def works(self) -> None:
        self._shares.works(self)

    def waits(self) -> None:
        self._shares.waits(self)

    def sends(self, size: int) -> None:
        self._shares.hold(self, size)

    def forgets(self, size: int) -> None:
        self._shares.release(self, size)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shares(clock: Clock) -> Connections:
    limits = Limits.of(Settings.from_environ({"GATEWAY_TRUSTED_PROXIES": "10.0.0.1"}))
    return Connections(replace(limits, connections=4, connections_per_client=2, buffered=100), clock)


def test_a_client_that_has_its_share_loses_the_connection_that_waits_longest(shares: Connections) -> None:
    first, second = Fake(shares, "1.1.1.1"), Fake(shares, "1.1.1.1")
    other = Fake(shares, "2.2.2.2")
    first.works()
    first.waits()
    third = Fake(shares, "1.1.1.1")
    assert [each.dropped for each in (first, second, third, other)] == [False, True, False, False]


def test_a_connection_that_is_worked_on_stays(shares: Connections) -> None:
    working, waiting = Fake(shares, "1.1.1.1"), Fake(shares, "1.1.1.1")
    working.works()
    Fake(shares, "1.1.1.1")
    assert (working.dropped, waiting.dropped) == (False, True)


def test_a_client_whose_connections_all_work_gets_no_more(shares: Connections) -> None:
    for _ in range(2):
        Fake(shares, "1.1.1.1").works()
    assert Fake(shares, "1.1.1.1").refused is Refusal.TOO_MANY_CONNECTIONS


def test_where_the_worker_is_full_the_client_with_most_loses_one(shares: Connections) -> None:
    lonely = [Fake(shares, "1.1.1.1"), Fake(shares, "2.2.2.2")]
    greedy = [Fake(shares, "3.3.3.3"), Fake(shares, "3.3.3.3")]
    new = Fake(shares, "4.4.4.4")
    assert [each.dropped for each in (*lonely, *greedy, new)] == [False, False, True, False, False]


def test_a_flood_beyond_a_share_replaces_so_many_connections_a_second(shares: Connections, clock: Clock) -> None:
    def taken(address: str) -> int:
        floods = [shares.floods(address) for _ in range(2 * REPLACED)]
        return floods.count(False)

    assert taken("1.1.1.1") == 2 * REPLACED  # it has no connection yet
    for _ in range(2):
        Fake(shares, "1.1.1.1")
    assert taken("1.1.1.1") == REPLACED
    assert taken("2.2.2.2") == 2 * REPLACED
    clock.now += 0.5
    assert taken("1.1.1.1") == REPLACED // 2


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", ""])
def test_a_trusted_proxy_may_have_all_connections(shares: Connections, address: str) -> None:
    connections = [Fake(shares, address) for _ in range(4)]
    assert not any(each.dropped for each in connections)
    Fake(shares, address)
    assert [each.dropped for each in connections] == [True, False, False, False]


def test_addresses_of_one_network_are_one_client(shares: Connections) -> None:
    first = Fake(shares, "2001:db8::1")
    Fake(shares, "2001:db8::2")
    Fake(shares, "2001:db8::3")
    assert first.dropped


def test_connections_that_end_leave_nothing(shares: Connections) -> None:
    for _ in range(10):
        each = Fake(shares, "1.1.1.1")
        each.sends(40)
        shares.remove(each)
        assert each.refused is None
    assert shares._clients == {}


def test_one_client_holds_half_of_the_bytes_at_most(shares: Connections) -> None:
    small, large, good = (Fake(shares, address) for address in ("1.1.1.1", "1.1.1.1", "2.2.2.2"))
    small.sends(20)
    large.sends(30)
    good.sends(45)
    assert (small.refused, large.refused, good.refused) == (None, None, None)
    small.sends(1)
    assert large.refused is Refusal.TOO_MANY_BYTES  # its largest request
    assert (small.refused, good.refused) == (None, None)


def test_where_too_many_bytes_are_held_the_largest_body_of_the_largest_client_goes(shares: Connections) -> None:
    greedy = [Fake(shares, address) for address in ("1.1.1.1", "2.2.2.2")]
    for each, size in zip(greedy, (45, 50), strict=True):
        each.sends(size)
    good = Fake(shares, "3.3.3.3")
    good.sends(6)
    assert [each.refused for each in greedy] == [None, Refusal.TOO_MANY_BYTES]
    assert good.refused is None


def test_a_client_with_whole_requests_gets_no_more(shares: Connections) -> None:
    whole = Fake(shares, "1.1.1.1")
    whole.sends(50)
    whole.works()
    whole.sends(1)
    assert whole.refused is Refusal.TOO_MANY_BYTES  # the request behind, which is not whole


def test_where_all_is_held_by_whole_requests_a_new_one_is_refused(shares: Connections) -> None:
    greedy = [Fake(shares, address) for address in ("1.1.1.1", "2.2.2.2")]
    for each in greedy:
        each.sends(50)
        each.works()
    new = Fake(shares, "3.3.3.3")
    new.sends(1)
    assert [each.refused for each in (*greedy, new)] == [None, None, Refusal.TOO_MANY_BYTES]


def test_a_proxy_may_hold_all_bytes(shares: Connections) -> None:
    proxy = Fake(shares, "10.0.0.1")
    proxy.sends(100)
    assert proxy.refused is None


def test_a_burst_drops_a_connection_for_each_new_one(shares: Connections) -> None:
    """Though a connection that is dropped ends a moment later."""
    burst = [Fake(shares, "1.1.1.1") for _ in range(40)]
    assert [each.dropped for each in burst] == [True] * 38 + [False] * 2
    for each in burst:
        shares.remove(each)
    assert shares._clients == {}


def test_a_connection_of_a_proxy_belongs_to_the_client_of_its_last_request(shares: Connections) -> None:
    greedy = [Fake(shares, "10.0.0.1") for _ in range(2)]
    for each in greedy:
        shares.assign(each, "1.1.1.1")
        each.sends(24)
    good = Fake(shares, "10.0.0.1")
    shares.assign(good, "2.2.2.2")
    good.sends(40)
    greedy[0].sends(3)
    assert [each.refused for each in (*greedy, good)] == [Refusal.TOO_MANY_BYTES, None, None]
    third = Fake(shares, "10.0.0.1")
    shares.assign(third, "1.1.1.1")
    assert [each.dropped for each in (*greedy, good, third)] == [True, False, False, False]


def test_a_connection_that_is_gone_is_assigned_to_nobody(shares: Connections) -> None:
    gone = Fake(shares, "10.0.0.1")
    shares.remove(gone)
    shares.assign(gone, "1.1.1.1")
    assert shares._clients == {}


def test_answered_requests_hold_nothing(shares: Connections) -> None:
    one = Fake(shares, "1.1.1.1")
    for _ in range(10):
        one.sends(40)
        one.forgets(40)
    assert one.refused is None


def test_the_largest_body_always_has_room() -> None:
    settings = Settings.from_environ({"GATEWAY_MAX_BUFFERED_BYTES": "1024", "GATEWAY_MAX_BODY_BYTES": "5000000"})
    assert Limits.of(settings).buffered == 2 * (5_000_000 + 65_536)
