"""Writers lock experiments by ascending id, and the state after them, so none waits for another in a circle."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, delete, func, select, text

from serving.gateway.errors import Unavailable
from serving.gateway.experiments import feedback, hold_back, lifecycle, scorings
from serving.gateway.experiments.feedback import Feedback
from serving.gateway.store import counts, engine, events, experiments, exposures, images, locks
from serving.gateway.store import tables as rows
from serving.gateway.store.counts import Count
from serving.gateway.store.exposures import Exposure
from serving.gateway.store.scoring import Image
from serving.gateway.store.sources import SOURCES
from serving.gateway.store.store import Store, hold
from serving.gateway.webhooks.queues import QueueWatch
from testing.api import ADMIN
from testing.databases import lock_waits
from testing.recount import problems
from testing.trials import CLASSES, SECRET, Trial, spec
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer


def held_back(store: Store) -> Trial:
    """Return a running hold-back."""
    trial = Trial(store, spec(0.5, 0.5, paired=True, traffic=0.1))
    with store.write() as connection:
        experiments.change(connection, trial.row().id, follows=trial.row().id)
    return trial


def test_a_verdict_waits_for_labels_of_a_hold_back_with_nothing_locked(store: Store) -> None:
    first = held_back(store)
    trial = Trial(store, spec(0.5, 0.5, paired=True, on_decision="promote", hold_back=0.1))
    trial.label(dict.fromkeys(trial.send([0, 1] * 15, [("1", "7")] * 30), "7"))
    with ThreadPoolExecutor(1) as pool:
        with store.write() as labels:
            exposures.lock(labels, [first.row().id])
            verdict = pool.submit(trial.judge)
            eventually(lambda: lock_waits(store), "the judge's wait")
            labels.execute(text("SET LOCAL lock_timeout = '1s'"))
            exposures.lock(labels, [trial.row().id])
        assert verdict.result() == "ship"
    assert (trial.row().status, first.row().status) == ("stopped", "stopped")


def test_a_hold_back_that_began_meanwhile_is_not_waited_for(store: Store) -> None:
    began = held_back(store)
    with store.write() as labels, pytest.raises(Unavailable) as refused, store.write() as promotion:
        exposures.lock(labels, [began.row().id])
        hold(promotion)
        promotion.execute(text("SET LOCAL lock_timeout = '1s'"))
        hold_back.end(promotion, "Another default.")
    assert refused.value.detail == "An experiment is in use; try again shortly."
    with store.write() as promotion:
        hold(promotion)
        hold_back.end(promotion, "Another default.")
    assert began.row().status == "stopped"


def test_writers_of_an_experiment_do_not_wait_for_each_other(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    first, second = trial.send([0, 1], [("1", "1")] * 2)
    with store.write() as one:
        labelled(one, {first: "1"})
        with store.write() as other:
            other.execute(text("SET LOCAL lock_timeout = '1s'"))
            labelled(other, {second: "7"})
        with pytest.raises(Unavailable), store.write() as same:
            same.execute(text("SET LOCAL lock_timeout = '50ms'"))
            labelled(same, {first: "7"})
    with store.read() as connection:
        assert problems(connection, trial.row().id) == []


def test_an_image_that_retention_deletes_meanwhile_is_written_anew(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    (prediction,) = trial.send([0], [("1", "7")])
    with ThreadPoolExecutor(1) as pool:
        with store.write() as retention:
            retention.execute(select(rows.images.c.image).with_for_update())
            labelling = pool.submit(trial.label, {prediction: "1"})
            eventually(lambda: lock_waits(store), "the label's wait for the image")
            retention.execute(delete(rows.images))
        labelling.result()
    with store.read() as connection:
        assert connection.execute(select(rows.images.c.label)).scalars().all() == ["1"]


def test_labels_that_withdraw_a_verdict_at_once_tell_it_once(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    number = trial.row().id
    with store.write() as connection:
        experiments.change(connection, number, verdict={"recommendation": "ship", "variant": "dropout", "reasons": []})
    with ThreadPoolExecutor(1) as pool:
        with store.write() as one:
            lifecycle.withdraw_verdicts(one, [number], "labels were replaced")

            def withdraw() -> None:
                with store.write() as other:
                    lifecycle.withdraw_verdicts(other, [number], "labels were replaced")

            second = pool.submit(withdraw)
            eventually(lambda: lock_waits(store), "the second one's wait")
        second.result()
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(rows.events)).scalar_one() == 1


def test_withdrawals_of_several_verdicts_wait_with_the_state_unlocked(store: Store) -> None:
    first, second = (Trial(store, spec(0.5, 0.5, paired=True)).row().id for _ in range(2))
    with store.write() as connection:
        for each in (first, second):
            experiments.change(connection, each, verdict={"recommendation": "ship", "variant": "dropout"})

    def withdraw() -> None:
        with store.write() as both:
            lifecycle.withdraw_verdicts(both, [second, first], "labels were replaced")

    with ThreadPoolExecutor(1) as pool:
        with store.write() as one:
            one.execute(select(rows.experiments.c.id).where(rows.experiments.c.id == second).with_for_update())
            withdrawal = pool.submit(withdraw)
            eventually(lambda: lock_waits(store), "the wait for the second experiment")
            one.execute(text("SET LOCAL lock_timeout = '1s'"))
            lifecycle.withdraw_verdicts(one, [second], "labels were replaced")
        withdrawal.result()
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(rows.events)).scalar_one() == 2


@pytest.mark.parametrize("paired", [True, False])
def test_many_writers_of_the_same_units_and_images_count_right(store: Store, paired: bool) -> None:
    trial, rng = Trial(store, spec(0.5, 0.5, paired=paired)), random.Random(3)
    sent: list[Exposure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "write", sent.extend)
        ids = trial.send([0, 1] * 12, [("1", "1"), ("1", "7"), ("7", "7")] * 8)
    again = [replace(each, id=f"{number:024x}", unit=rng.choice(sent).unit, answered=rng.choice(sent).answered)
             for number, each in enumerate(sent * 3, 1 << 40)]  # fmt: skip

    def write(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(4):
            trial.write(mine.sample([*sent, *again], 20))
            with store.write() as connection:
                labelled(connection, dict.fromkeys(mine.sample(ids, 8), mine.choice("17")), mine.choice(SOURCES))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    trial.write([*sent, *again])
    with store.read() as connection:
        assert problems(connection, trial.row().id) == []
        slots = connection.execute(select(func.count(rows.counts.c.slot.distinct()))).scalar_one()
    assert slots > 1


def told_after_a_verdict(store: Store, trial: Trial, tell: Callable[[], object]) -> list[str]:
    """Tell of an experiment while its verdict is not committed yet; return the types of its events by their ids."""
    with ThreadPoolExecutor(1) as pool, store.write() as verdict:
        experiments.find(verdict, trial.spec.name, hold=True)
        telling = pool.submit(tell)
        eventually(lambda: lock_waits(store) or telling.done(), "the wait for the verdict")
        events.add(verdict, "experiment.verdict", trial.spec.name, {})
        verdict.commit()
        telling.result()
    with store.read() as connection:
        return list(connection.execute(select(rows.events.c.type).order_by(rows.events.c.id)).scalars())


def test_an_old_queue_is_told_after_what_was_under_way(store: Store) -> None:
    trial, now = Trial(store, spec(0.5, 0.5, paired=True)), time.time()
    waiting = Image(1, 1, 1, 0, 1, now - 7200, (("1", 0.9), ("2", 0.9)), prediction_id="p", pixels=b"pixels")
    with store.write() as connection:
        images.save(connection, trial.row().id, 1, {1: waiting}, {})
    told = told_after_a_verdict(store, trial, lambda: QueueWatch(store, 1).look(now))
    assert told == ["experiment.verdict", "experiment.queue_old"]


def test_a_promotion_by_hand_is_told_after_what_was_under_way(store: Store, client: FlaskClient) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True))
    body = {"experiment": trial.spec.name}
    told = told_after_a_verdict(
        store, trial, lambda: client.post("/variants/dropout/promote", json=body, headers=ADMIN)
    )
    assert told == ["experiment.verdict", "variant.promoted"]


def test_a_unit_that_is_slow_at_two_gateways_is_one_case(store: Store) -> None:
    trial, sent = Trial(store, spec(0.5, 0.5)), list[Exposure]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "write", sent.extend)
        trial.send([0], [("1", "1")])
    trial.write(sent)
    slow = tuple(asked._replace(case=True, slow=True) for asked in sent[0].asked)
    first, second = (replace(sent[0], id=f"{number:024x}", asked=slow) for number in (1, 2))
    with ThreadPoolExecutor(1) as pool:
        with store.write() as one:
            of = exposures.lock(one, [first.experiment_id])
            exposures.write(one, [first], scorings.alone(one, of), SECRET)
            other = pool.submit(trial.write, [second])
            eventually(lambda: lock_waits(store), "the second gateway's wait")
        other.result()
    with store.read() as connection:
        assert counts.read(connection, trial.row().id)[1][Count("case_slow", 0)] == 1


def test_a_gateway_that_vanishes_holds_nobody_up_for_long(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(store, spec(0.5, 0.5))
    monkeypatch.setattr(engine, "VANISHED_SECONDS", 0.2)
    other = Store(database_url)
    with pytest.raises(Unavailable), other.write() as vanished:
        locks.own(vanished, [trial.row().id])
        trial.send([0], [("1", "1")])
    other.close()


def test_a_wait_for_another_gateway_ends(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(store, spec(0.5, 0.5))
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    other = Store(database_url)
    with store.write() as slow, pytest.raises(Unavailable), other.write() as waiting:
        locks.own(slow, [trial.row().id])
        exposures.lock(waiting, [trial.row().id])
    other.close()


def labelled(connection: Connection, labels: dict[str, str], source: str = "ground_truth") -> None:
    items = [Feedback(prediction, label, source) for prediction, label in labels.items()]
    feedback.record(connection, SECRET, CLASSES, items)
