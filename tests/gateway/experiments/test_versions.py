"""A new version of a variant begins a new phase, once for all workers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.cache import ExperimentCache, Watched
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.experiments.versions import follow
from serving.gateway.manifest import Manifest
from serving.gateway.store import experiments
from serving.gateway.store.store import Store
from serving.gateway.store.tables import phases
from testing import trials
from testing.manifest import MANIFEST, variant
from testing.traffic import SPLIT

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

BY = Act("test")
VERDICT = {"recommendation": "ship", "variant": "dropout", "reasons": ["made up"]}
CLEARED = (
    "'dropout' has version 8 instead of 7, so phase 2 begins, and evidence on other versions does not count in it. "
    "The verdict 'ship' on the earlier versions is cleared."
)


at_once = partial(follow, settle=0, back=0)


def published(**newest: int) -> Callable[[], Manifest]:
    """Return a manifest that has these versions of variants."""
    found = Manifest.model_validate(
        {**MANIFEST, "variants": [{**variant(name), "version": version} for name, version in newest.items()]}
    )
    return lambda: found


@pytest.fixture
def started(store: Store) -> Store:
    """A store with a running experiment on versions 7 that has a verdict."""
    with store.write() as connection:
        lifecycle.create(connection, ExperimentSpec.model_validate({**SPLIT, "traffic": 0.5}), BY)
        lifecycle.step(connection, "test", "start", BY, manifest=published(plain=7, dropout=7)())
        experiments.change(connection, 1, verdict=VERDICT)
    return store


def watched(store: Store) -> tuple[Watched, ...]:
    return ExperimentCache(store).refresh().watched


def look(store: Store, **newest: int) -> list[tuple[int, int, list[int | None]]]:
    """Have one worker look; return number, epoch and versions of the phases."""
    at_once(store, watched(store), published(**newest))
    with store.read() as connection:
        return [(p.number, p.epoch, p.versions) for p in experiments.phases_of(connection, 1)]


def shown(store: Store) -> tuple[Any, list[tuple[str, str | None]]]:
    """Return the verdict, and the gateway's entries in the log."""
    with store.read() as connection:
        entries = experiments.logged(connection, "test")
        return experiments.by_id(connection, 1).verdict, [(e.action, e.reason) for e in entries if e.who == "gateway"]


@pytest.mark.parametrize("step", [None, "pause"])
def test_a_new_version_begins_a_phase_and_clears_the_verdict(
    started: Store, step: str | None, gateway_log: pytest.LogCaptureFixture
) -> None:
    if step:
        with started.write() as connection:
            lifecycle.step(connection, "test", step, BY)
    assert look(started, plain=7, dropout=8) == [(1, 1, [7, 7]), (2, 2, [7, 8])]
    assert shown(started) == (None, [("version", CLEARED)])
    assert f"experiment test: {CLEARED}" in gateway_log.messages
    with started.read() as connection:
        first, second = experiments.phases_of(connection, 1)
        assert (first.weights, first.traffic, first.traffic_salt) == (
            second.weights, second.traffic, second.traffic_salt,
        )  # fmt: skip
        assert first.arm_salt != second.arm_salt


def test_the_same_versions_change_nothing(started: Store) -> None:
    assert look(started, plain=7, dropout=7) == [(1, 1, [7, 7])]
    assert look(started, plain=7) == [(1, 1, [7, 7])]  # a variant that is not published has no new version
    assert shown(started) == (VERDICT, [])


def test_a_version_that_comes_back_begins_anew(started: Store) -> None:
    look(started, plain=7, dropout=8)
    assert look(started, plain=7, dropout=7)[-1] == (3, 3, [7, 7])


def test_gateways_that_disagree_for_a_while_do_not_open_phases_in_turn(started: Store) -> None:
    follow(started, watched(started), published(plain=7, dropout=8), settle=60)
    assert look(started, plain=7, dropout=7) == [(1, 1, [7, 7])]
    assert look(started, plain=7, dropout=8)[-1] == (2, 2, [7, 8])


def test_gateways_that_are_upgraded_in_turn_do_not_go_back(started: Store) -> None:
    """Gateways that are not upgraded yet see older versions, for as long as the others take."""
    follow(started, watched(started), published(plain=7, dropout=8), settle=0)
    follow(started, watched(started), published(plain=7, dropout=7), settle=0)
    follow(started, watched(started), published(plain=6, dropout=9), settle=0)
    assert look(started, plain=7, dropout=8) == [(1, 1, [7, 7]), (2, 2, [7, 8])]


def test_other_weights_keep_the_versions_and_what_they_have_shown(started: Store) -> None:
    look(started, plain=7, dropout=8)
    with started.write() as connection:
        lifecycle.reweight(connection, "test", {"plain": 0.75, "dropout": 0.25}, None, BY)
    assert look(started, plain=7, dropout=8)[-1] == (3, 2, [7, 8])


def test_a_stopped_experiment_is_left_alone(started: Store) -> None:
    before = watched(started)
    with started.write() as connection:
        lifecycle.step(connection, "test", "stop", BY)
    at_once(started, before, published(plain=7, dropout=8))
    assert look(started, plain=7, dropout=8) == [(1, 1, [7, 7])]


def test_unknown_versions_are_filled_in_without_a_phase(started: Store) -> None:
    with started.write() as connection:
        lifecycle.reweight(connection, "test", {"plain": 0.75, "dropout": 0.25}, None, BY)
        connection.execute(update(phases).values(versions=[None, None]))
    assert look(started, plain=7) == [(1, 1, [7, None]), (2, 1, [7, None])]
    assert look(started, plain=7, dropout=8) == [(1, 1, [7, 8]), (2, 1, [7, 8])]
    assert shown(started) == (VERDICT, [])
    assert watched(started)[0].versions == {"plain": 7, "dropout": 8}


def test_all_workers_begin_one_phase(started: Store) -> None:
    before = watched(started)
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: at_once(started, before, published(plain=8, dropout=8)), range(8)))
    assert len(look(started, plain=8, dropout=8)) == 2
    assert len(shown(started)[1]) == 1


def test_a_worker_that_is_behind_does_not_go_back(started: Store) -> None:
    """It has read the manifest before another one acted on a newer one."""
    manifests = iter([published(plain=7, dropout=8)(), published(plain=7, dropout=9)()])
    before = watched(started)
    look(started, plain=7, dropout=9)
    at_once(started, before, lambda: next(manifests))
    assert look(started, plain=7, dropout=9)[-1] == (2, 2, [7, 9])


def test_a_replaced_label_on_earlier_versions_leaves_the_verdict(store: Store) -> None:
    trial = trials.Trial(store, trials.spec(0.5, 0.5, paired=True))
    (old,) = trial.send([0], [("1", "7")])
    trial.label({old: "7"}, "audit")
    trial.publish(trials.manifest(dropout=2))
    (new,) = trial.send([0], [("1", "7")])
    trial.label({new: "7"}, "audit")
    with store.write() as connection:
        experiments.change(connection, trial.row().id, verdict=VERDICT)
    trial.label({old: "1"})
    assert trial.row().verdict == VERDICT
    trial.label({new: "1"})
    assert trial.row().verdict is None
