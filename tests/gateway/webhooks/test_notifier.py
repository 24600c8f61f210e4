import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from serving.gateway.store import events, lease
from serving.gateway.store.days import DAY_SECONDS
from serving.gateway.store.store import Store
from serving.gateway.store.tables import events as table
from serving.gateway.store.tables import state
from serving.gateway.webhooks import notifier
from serving.gateway.webhooks.notifier import NotDelivered, Notifier
from serving.gateway.webhooks.queues import QueueWatch
from serving.gateway.webhooks.receiver import Receiver
from serving.gateway.webhooks.signature import secrets_of
from testing.machine import free_port
from testing.trials import Trial, spec
from testing.waiting import Clock, eventually
from testing.webhook_receiver import SECRET, WebhookReceiver

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
LOOPBACK = (ip_network("127.0.0.0/8"),)
Make = Callable[..., Notifier]


class Taken:
    """Keeps the messages that it takes: all but those with a number in `refused`."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.attempts: list[str] = []
        self.refused: set[str] = set()

    def deliver(self, message: str, body: bytes) -> None:
        self.attempts.append(message)
        if message in self.refused:
            raise NotDelivered("made up")
        self.messages.append(message)


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.now = time.time()
    return made


@pytest.fixture
def outcomes() -> list[str]:
    return []


@pytest.fixture
def make(store: Store, clock: Clock, outcomes: list[str]) -> Make:
    def make(receiver: Any, over: Store = store) -> Notifier:
        return Notifier(over, receiver, QueueWatch(over, 24), outcomes.append, clock=clock, draw=lambda: 1.0)

    return make


def add(store: Store, *streams: str) -> list[str]:
    """Keep events of these streams; return the ids of all that there are, by the order of their making."""
    with store.write() as connection:
        for stream in streams:
            events.add(connection, "experiment.verdict", stream, {"experiment": stream})
        return list(connection.execute(select(table.c.message).order_by(table.c.id)).scalars())


def states(store: Store) -> list[tuple[str, int, str | None]]:
    with store.read() as connection:
        rows = connection.execute(select(table).order_by(table.c.id)).all()
    return [(row.state, row.attempts, row.error) for row in rows]


def until_quiet(under_test: Notifier) -> None:
    while under_test.turn():
        pass


@BOTH
def test_a_receiver_that_is_down_for_a_minute_gets_every_event_in_order(store: Store, make: Make, clock: Clock) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    under_test = make(Receiver(url, secrets_of(SecretStr(SECRET)), LOOPBACK))
    until = clock.now + 60
    made: list[str] = []
    while clock.now < until:
        # The last ones come late, and would overtake the others, whose pauses have grown.
        if len(made) < 4 or clock.now == until - 1:
            made = add(store, "a", "b")
        until_quiet(under_test)
        clock.now += 1
    with WebhookReceiver(port) as server:
        while any(state == "waiting" for state, *_ in states(store)):
            assert clock.now < until + 70, "as long again, and not much more"
            until_quiet(under_test)
            clock.now += 1
    streams = defaultdict(list)
    for message in server.taken:
        streams[message.verified()["data"]["experiment"]].append(message.id)
    assert streams == {"a": made[0::2], "b": made[1::2]}
    assert len(made) == 6


def test_pauses_double_up_to_a_bound_and_end_after_a_day(
    store: Store, make: Make, clock: Clock, outcomes: list[str], gateway_log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(notifier, "LONGEST_PAUSE_SECONDS", 3600.0)  # fewer attempts
    receiver = Taken()
    receiver.refused.update(add(store, "a"))
    under_test, started = make(receiver), clock.now
    tried: list[float] = []
    while states(store)[0][0] == "waiting":
        before = len(receiver.attempts)
        under_test.turn()
        if len(receiver.attempts) > before:
            tried.append(clock.now)
        with store.read() as connection:
            next_at = connection.execute(select(table.c.next_at)).scalar_one()
        clock.now = max(clock.now + 1, min(next_at, started + 86_500))
    pauses = [round(later - earlier) for earlier, later in zip(tried, tried[1:], strict=False)]
    assert pauses[:8] == [2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[11:]) == {3600}
    assert states(store) == [("given_up", len(tried), "made up")]
    assert outcomes == ["failed"] * len(tried) + ["given_up"]
    assert tried[-1] - started < 86_400
    assert "is given up after a day: made up" in gateway_log.text


def test_events_from_before_there_was_a_receiver_are_no_failures(
    store: Store, make: Make, clock: Clock, outcomes: list[str], gateway_log: pytest.LogCaptureFixture
) -> None:
    made = add(store, "a", "b")
    clock.now += DAY_SECONDS + 60
    receiver = Taken()
    until_quiet(make(receiver))
    assert (receiver.attempts, outcomes, states(store)) == ([], [], [("given_up", 0, None)] * 2)
    assert f"webhooks {made[0]}, {made[1]} were never tried, and are too old to deliver" in gateway_log.messages


def test_events_behind_one_that_failed_for_a_day_are_failures_too(
    store: Store, make: Make, clock: Clock, outcomes: list[str]
) -> None:
    receiver = Taken()
    receiver.refused.update(add(store, "a", "a")[:1])
    under_test = make(receiver)
    under_test.turn()
    clock.now += DAY_SECONDS + 60
    until_quiet(under_test)
    assert outcomes == ["failed", "given_up", "given_up"]


def test_chance_shortens_a_pause_by_half_at_most(store: Store, clock: Clock) -> None:
    receiver = Taken()
    receiver.refused.update(add(store, "a"))
    Notifier(store, receiver, QueueWatch(store, 24), clock=clock, draw=lambda: 0.0).turn()
    with store.read() as connection:
        assert connection.execute(select(table.c.next_at)).scalar_one() == pytest.approx(clock.now + 1)


@BOTH
def test_what_waits_for_an_earlier_event_holds_up_no_other_experiment(store: Store, make: Make, clock: Clock) -> None:
    receiver = Taken()
    a1, a2, b1, b2 = add(store, "a", "a", "b", "b")
    receiver.refused = {a1}
    under_test = make(receiver)
    until_quiet(under_test)
    assert receiver.messages == [b1, b2]
    receiver.refused.clear()
    clock.now += 2
    until_quiet(under_test)
    assert receiver.messages == [b1, b2, a1, a2]
    assert [state for state, *_ in states(store)] == ["delivered"] * 4


def test_a_fault_of_ours_is_put_off_like_one_of_the_receiver(store: Store, make: Make) -> None:
    class Broken:
        def deliver(self, message: str, body: bytes) -> None:
            raise ZeroDivisionError("a fault")

    add(store, "a", "b")
    make(Broken()).turn()
    assert states(store) == [("waiting", 1, "a fault")] * 2


@BOTH
def test_one_worker_of_all_delivers_and_another_takes_over(
    store: Store, database_url: str, make: Make, clock: Clock
) -> None:
    other_store = Store(database_url)
    one, two = Taken(), Taken()
    first, second = make(one), make(two, other_store)
    for _ in range(3):
        add(store, "a")
        until_quiet(first)
        until_quiet(second)
    assert (len(one.messages), two.messages) == (3, [])
    clock.now += lease.LEASE_SECONDS / 2 + 1  # the first renews in time
    until_quiet(first)
    clock.now += lease.LEASE_SECONDS / 2 + 1
    (*_, last) = add(store, "a")
    until_quiet(second)
    assert two.messages == []
    clock.now += lease.LEASE_SECONDS  # the first has died
    until_quiet(second)
    assert two.messages == [last]
    until_quiet(first)
    assert len(one.messages) == 3
    other_store.close()


@BOTH
def test_a_lease_by_a_clock_that_was_wrong_does_not_last(store: Store, make: Make) -> None:
    with store.write() as connection:
        connection.execute(update(state).values(lease_holder="nobody", lease_until=time.time() + 10**6))
    receiver = Taken()
    add(store, "a")
    make(receiver).turn()
    assert len(receiver.messages) == 1


def test_a_worker_that_ends_gives_its_lease_back(store: Store, make: Make) -> None:
    receiver = Taken()
    add(store, "a")
    ending = make(receiver)
    ending.start()
    eventually(lambda: receiver.messages, "a delivery")
    ending.close()
    with store.read() as connection:
        assert lease.holder(connection).lease_holder is None


@pytest.fixture
def nobody(store: Store, make: Make) -> Iterator[Notifier]:
    without = make(None)
    yield without
    without.close()


def test_without_a_receiver_no_thread_runs(store: Store, nobody: Notifier) -> None:
    add(store, "a")
    nobody.start()
    nobody.close()
    with store.read() as connection:
        assert lease.holder(connection).lease_holder is None
    assert states(store) == [("waiting", 0, None)]


@BOTH
def test_what_is_told_once_is_kept_once_and_old_events_go(store: Store) -> None:
    for _ in range(2):
        with store.write() as connection:
            events.add(connection, "experiment.unhealthy", "a", {}, once="unhealthy:1:1")
    assert len(states(store)) == 1
    with store.write() as connection:
        assert events.known(connection, "unhealthy:1:1")
        connection.execute(update(table).values(at=table.c.at - 6.9 * DAY_SECONDS))
        events.forget_old(connection)
    assert len(states(store)) == 1
    with store.write() as connection:
        connection.execute(update(table).values(at=table.c.at - 0.2 * DAY_SECONDS))
        events.forget_old(connection)
        assert connection.execute(select(table)).all() == []


@BOTH
def test_what_is_told_once_a_phase_is_known_until_its_experiment_is_archived(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5))
    with store.write() as connection:
        events.add(connection, "experiment.unhealthy", trial.spec.name, {}, once="unhealthy:1:1")
        events.add(connection, events.QUEUE_OLD, trial.spec.name, {}, once="queue_old:1:1")
        events.add(connection, "experiment.verdict", trial.spec.name, {})
        connection.execute(update(table).values(at=table.c.at - 7.1 * DAY_SECONDS))
        events.forget_old(connection)
        assert [row.once for row in connection.execute(select(table))] == ["unhealthy:1:1"]
        assert events.latest(connection, 10) == []
    trial.step("stop")
    trial.step("archive")
    with store.write() as connection:
        events.forget_old(connection)
        assert not events.known(connection, "unhealthy:1:1")
