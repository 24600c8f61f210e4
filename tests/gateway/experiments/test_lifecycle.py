"""Notes of a start, and the withdrawal of a verdict; `views/test_experiments.py` has the steps."""

from typing import Any

import pytest

from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.manifest import Manifest
from serving.gateway.store import counts, experiments, promotions
from serving.gateway.store.counts import Count
from serving.gateway.store.store import Store
from testing.manifest import MANIFEST
from testing.traffic import SPLIT

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

BY = Act("test")
PUBLISHED = Manifest.model_validate(MANIFEST)
VERDICT = {"recommendation": "ship", "variant": "dropout", "reasons": ["made up"], "at": "now", "labelled": 5}
NOT_DEFAULT = (
    "Control 'plain' is not the default variant, which is 'dropout': a verdict is kept, but promotes and stops nothing."
)


def start(store: Store, manifest: Manifest | None = PUBLISHED, **changes: Any) -> None:
    with store.write() as connection:
        lifecycle.create(connection, ExperimentSpec.model_validate({**SPLIT, **changes}), BY)
        lifecycle.step(connection, "test", "start", BY, manifest=manifest)


def log(store: Store) -> list[tuple[str, str | None]]:
    """Return the gateway's entries in the log."""
    with store.read() as connection:
        return [(e.action, e.reason) for e in experiments.logged(connection, "test") if e.who == "gateway"]


@pytest.mark.parametrize(("manifest", "versions"), [(PUBLISHED, [7, 7]), (None, [None, None])])
def test_a_start_notes_the_versions(store: Store, manifest: Manifest | None, versions: list[int | None]) -> None:
    start(store, manifest)
    with store.read() as connection:
        (phase,) = experiments.phases_of(connection, 1)
    assert (phase.number, phase.epoch, phase.versions) == (1, 1, versions)


def test_phases_share_the_salt_for_the_traffic_and_no_experiments_do(store: Store) -> None:
    start(store)
    with store.write() as connection:
        lifecycle.reweight(connection, "test", {"plain": 0.75, "dropout": 0.25}, 0.5, BY)
        lifecycle.create(connection, ExperimentSpec.model_validate({**SPLIT, "name": "other"}), BY)
        lifecycle.step(connection, "other", "start", BY)
        first, second, other = (
            *experiments.phases_of(connection, 1), *experiments.phases_of(connection, 2),
        )  # fmt: skip
    assert first.traffic_salt == second.traffic_salt != other.traffic_salt
    assert len({phase.arm_salt for phase in (first, second, other)}) == 3


@pytest.mark.parametrize(
    ("on_decision", "default", "expected"),
    [("promote", "dropout", [("warning", NOT_DEFAULT)]), ("promote", None, []), ("notify", "dropout", [])],
)
def test_a_start_warns_that_nothing_will_be_promoted(
    store: Store, on_decision: str, default: str | None, expected: list[tuple[str, str]]
) -> None:
    if default:
        with store.write() as connection:
            promotions.promote(connection, default, "test", None)
    start(store, on_decision=on_decision)
    assert log(store) == expected


def test_a_verdict_is_withdrawn(store: Store, gateway_log: pytest.LogCaptureFixture) -> None:
    start(store)
    with store.write() as connection:
        lifecycle.withdraw_verdicts(connection, [1], "its labels were replaced")
        experiments.change(connection, 1, verdict=VERDICT)
    assert log(store) == []  # without a verdict there is nothing to withdraw
    with store.write() as connection:
        lifecycle.withdraw_verdicts(connection, [1], "its labels were replaced")
        assert experiments.by_id(connection, 1).verdict is None
    text = "verdict withdrawn: 'ship', since its labels were replaced"
    assert log(store) == [("withdraw", text)]
    assert f"experiment test: {text}" in gateway_log.messages


@pytest.mark.parametrize(
    ("decision", "verdict"),
    [({"recommendation": "continue", "variant": None, "reasons": []}, None), (VERDICT, VERDICT)],
)
def test_a_verdict_that_has_stopped_its_experiment_stays(store: Store, decision: Any, verdict: Any) -> None:
    """One that was stopped by somebody else has only been reported."""
    start(store)
    with store.write() as connection:
        experiments.change(connection, 1, verdict=VERDICT)
        lifecycle.step(connection, "test", "stop", BY, decision=decision)
        for _ in range(3):
            lifecycle.withdraw_verdicts(connection, [1], "its labels were replaced")
        assert experiments.by_id(connection, 1).verdict == verdict
    stays = ("warning", "verdict 'ship' stays, since it was acted on, though its labels were replaced")
    assert len(log(store)) == 1 and (stays in log(store)) is (verdict is not None)


@pytest.mark.parametrize(("units", "epochs"), [((500, 500), [1, 1]), ((900, 100), [1, 2])])
def test_other_weights_after_an_unhealthy_phase_begin_evidence_anew(
    store: Store, units: tuple[int, int], epochs: list[int]
) -> None:
    """A verdict on the evidence before is cleared, too."""
    start(store)
    with store.write() as connection:
        experiments.change(connection, 1, verdict=VERDICT)
        counts.add(connection, 1, 1, {Count("units", arm): n for arm, n in enumerate(units)})
        lifecycle.reweight(connection, "test", {"plain": 0.5, "dropout": 0.5}, None, BY)
        assert [phase.epoch for phase in experiments.phases_of(connection, 1)] == epochs
        assert experiments.by_id(connection, 1).verdict == (VERDICT if epochs == [1, 1] else None)
