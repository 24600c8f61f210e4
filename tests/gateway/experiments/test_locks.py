"""Writers lock experiments by ascending id, and the state after them, so none waits for another in a circle."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from serving.gateway.errors import Unavailable
from serving.gateway.experiments import hold_back
from serving.gateway.store import experiments, exposures
from serving.gateway.store.store import Store, hold
from testing.trials import Trial, spec
from testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer


def held_back(store: Store) -> Trial:
    """Return a running hold-back."""
    trial = Trial(store, spec(0.5, 0.5, paired=True, traffic=0.1))
    with store.write() as connection:
        experiments.change(connection, trial.row().id, follows=trial.row().id)
    return trial


def waits(store: Store) -> bool:
    """Say whether a transaction waits for a lock."""
    with store.read() as connection:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                       "AND wait_event_type = 'Lock'")  # fmt: skip
        return bool(connection.execute(waiting).scalar())


def test_a_verdict_waits_for_labels_of_a_hold_back_with_nothing_locked(store: Store) -> None:
    first = held_back(store)
    trial = Trial(store, spec(0.5, 0.5, paired=True, on_decision="promote", hold_back=0.1))
    trial.label(dict.fromkeys(trial.send([0, 1] * 15, [("1", "7")] * 30), "7"))
    with ThreadPoolExecutor(1) as pool:
        with store.write() as labels:
            exposures.lock(labels, [first.row().id])
            verdict = pool.submit(trial.judge)
            eventually(lambda: waits(store), "the judge's wait")
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
