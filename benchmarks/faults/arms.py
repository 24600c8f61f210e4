"""Faults b, d, g and h: arms that do not answer, that are not compared, or that are not what they were."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from sqlalchemy import func, select

from benchmarks.faults.rows import Effort, Row, never, seldom
from benchmarks.simulation import application
from serving.gateway.experiments.judge import VERDICTS
from serving.gateway.store import experiments, promotions
from serving.gateway.store.store import Store
from serving.gateway.store.tables import experiments as table
from serving.gateway.store.tables import exposures
from testing.asgi import predict_all
from testing.simulation import answering
from testing.traffic import act, images, label_as, report, start
from testing.trials import ARMS, Trial, manifest, spec, temporary_store
from testing.waiting import eventually

UNITS = 300
TRUTH, RIGHT, WRONG = "1", "1", "2"
BETTER = (50, 10)  # images that the variant, or control, alone has right
LOOKS, DISAGREEMENTS = 5, 60


def never_answers(effort: Effort) -> Iterator[Row]:
    """Ask a variant that never answers; control answers for it."""
    told, unnamed = 0, 0
    designs = [False, True]
    with application() as (client, server):
        server.models.discard("dropout")
        runs = list(itertools.product(range(effort.application), designs))
        for number, paired in runs:
            found = _stood_in_for(client, f"run_{number}_{paired:d}", paired)
            (comparison,) = found["comparisons"]
            told += found["decision"]["recommendation"] in VERDICTS or comparison["verdict"] != "undecided"
            unnamed += not any("of dropout's requests" in note for note in found["notes"])
    yield never("b", "a variant never answers: a verdict on its accuracy", told, len(runs))
    yield never("b", "a variant never answers: the report does not say who stood in", unnamed, len(runs))


def _stood_in_for(client: FlaskClient, name: str, paired: bool) -> Any:
    """Run one experiment, 15 % of whose answers are wrong; return its report."""
    start(client, {**spec(0.5, 0.5, paired=paired, margin=0.3), "name": name})
    rng = np.random.default_rng(1)
    answers = predict_all(client, f"experiment={name}", [images(1) for _ in range(UNITS)])
    truths = np.where(rng.random(UNITS) < 0.15, WRONG, RIGHT).tolist()
    label_as(client, [answer["predictions"][0]["id"] for answer in answers], truths)
    found = eventually(lambda: _arrived(client, name))
    _end(client, name)
    return found


def one_of_three_is_dead(effort: Effort) -> Iterator[Row]:
    """Paired, one arm of three never answers: the other two are compared on all images, and decided."""
    compared, undecided = 0, 0
    with application(ARMS) as (client, server):
        server.answer = answering(ARMS, version=1)
        server.models.discard("l2")
        for number in range(effort.application):
            found = _of_three(client, f"run_{number}")
            compared += found["counts"]["compared"]
            undecided += found["decision"]["recommendation"] != "ship"
    sent = effort.application * UNITS
    what = "one of three arms is dead"
    yield never("h", f"{what}: the others are not compared", sent - compared, sent, "images")
    yield never("h", f"{what}: the better one of the others does not ship", undecided, effort.application)


def _of_three(client: FlaskClient, name: str) -> Any:
    """Run one experiment whose second arm is better than control; return its report."""
    start(client, {**spec(1 / 3, 1 / 3, 1 / 3, paired=True), "name": name})
    alone = np.random.default_rng(2).permutation([1] * BETTER[0] + [0] * BETTER[1] + [-1] * (UNITS - sum(BETTER)))
    pixels = np.zeros((UNITS, 784), np.uint8)
    pixels[:, : len(ARMS)] = int(RIGHT)
    pixels[alone == 1, 0] = pixels[alone == 0, 1] = int(WRONG)
    pixels[:, 4:8] = np.arange(UNITS, dtype="<u4").view(np.uint8).reshape(UNITS, 4)
    answers = predict_all(client, f"experiment={name}", [row.tobytes() for row in pixels])
    label_as(client, [answer["predictions"][0]["id"] for answer in answers], [TRUTH] * UNITS)
    found = eventually(lambda: _arrived(client, name))
    _end(client, name)
    return found


def _arrived(client: FlaskClient, name: str) -> Any:
    """Return the report once the store has all exposures, which come with the answers of the other arms."""
    with client.application.extensions["gateway"].experiments.store.read() as connection:
        known = select(func.count()).select_from(exposures.join(table)).where(table.c.name == name)
        return connection.execute(known).scalar_one() == UNITS and report(client, name)


def _end(client: FlaskClient, name: str) -> None:
    act(client, name, "stop")
    act(client, name, "archive")


def another_default(effort: Effort) -> Iterator[Row]:
    """Promote a winner only where the default is what it was compared with."""
    displaced = 0
    for default, promoted in [("l2", None), ("plain", "l2")]:
        with temporary_store() as store:
            trial = _winning(store, default)
            if promoted:
                with store.write() as connection:
                    promotions.promote(connection, promoted, "somebody", None)
            verdict, now, status = trial.judge(), _promoted(store), trial.row().status
            assert verdict == "ship"
            displaced += (now, status) != (promoted, "running") or not _warned(store, trial)
    yield never(
        "d", "the default is no arm, from the start or later: displaced, or nobody is told", displaced, 2, "stories"
    )
    with temporary_store() as store:
        trial = _winning(store, "plain")
        kept = trial.judge() != "ship" or _promoted(store) != "dropout" or trial.row().status != "stopped"
    yield never("d", "control is the default: it stays though a variant won", int(kept), 1, "story")


def _winning(store: Store, default: str) -> Trial:
    """Return an experiment that is to promote, with the evidence to do so."""
    trial = Trial(store, spec(0.5, 0.5, paired=True, on_decision="promote"), manifest(default))
    _show(trial, *BETTER)
    return trial


def _show(trial: Trial, for_variant: int, for_control: int) -> None:
    """Send images that one arm alone has right, with the truth."""
    answers = [(WRONG, RIGHT)] * for_variant + [(RIGHT, WRONG)] * for_control
    served = [number % 2 for number in range(len(answers))]
    trial.label(dict.fromkeys(trial.send(served, answers), TRUTH))


def _promoted(store: Store) -> str | None:
    with store.read() as connection:
        found = promotions.current(connection)
    return found.variant if found else None


def _warned(store: Store, trial: Trial) -> bool:
    with store.read() as connection:
        return any(entry.action == "warning" for entry in experiments.logged(connection, trial.spec.name))


def retrained(effort: Effort) -> Iterator[Row]:
    """Retrain a variant that was better; its new version is as good as control."""
    for seed, (what, paired) in enumerate([("paired", True), ("unpaired", False)]):
        rng = np.random.default_rng(seed)
        with temporary_store() as store:
            shown = sum(_retrained_wins(store, rng, paired) for _ in range(effort.store))
        yield seldom(
            "g", f"{what}, version 1 was better, version 2 equals control: decides for a side", shown, effort.store
        )


def _retrained_wins(store: Store, rng: np.random.Generator, paired: bool) -> bool:
    """Run one experiment; say whether it ever decides on version 2. Labels of version 1 go on coming meanwhile."""
    trial = Trial(store, spec(0.5, 0.5, paired=paired))
    early, late = (_send(trial, rng, 3 * DISAGREEMENTS, lost=0.1) for _ in range(2))
    trial.label(early)
    assert trial.report()["decision"]["recommendation"] == "ship"
    trial.publish(manifest(dropout=2))
    assert trial.report()["versions"] == {"plain": 1, "dropout": 2}
    for look in range(LOOKS):
        trial.label(_send(trial, rng, DISAGREEMENTS, lost=0.5) | dict(list(late.items())[look::LOOKS]))
        if trial.judge():
            return True
    return False


def _send(trial: Trial, rng: np.random.Generator, images: int, *, lost: float) -> dict[str, str]:
    """Send images that one arm alone has right, control a share `lost`; return their true labels by prediction."""
    answers = [(RIGHT, WRONG) if each else (WRONG, RIGHT) for each in rng.random(images) < lost]
    assigned = rng.permutation(np.arange(images) % 2)
    return dict.fromkeys(trial.send(assigned.tolist(), answers), TRUTH)
