"""Faults a and c: users label what they choose to label."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.faults.rows import Effort, Row, decided, never, seldom
from serving.gateway.store.store import Store
from testing.trials import Trial, spec, temporary_store

TRUTH, RIGHT, WRONG = "1", "1", "2"
LOOKS = 4
UNITS = 500  # a look
DISAGREEMENTS = 80  # a look


def reports_of_errors(effort: Effort) -> Iterator[Row]:
    """Unpaired: users report wrong answers alone."""
    for seed, (what, errors, reported) in enumerate(
        [
            ("4 % against 2 % error, users report every error", (0.04, 0.02), (1.0, 1.0)),
            ("equal arms, users report 30 % and 45 % of errors", (0.3, 0.3), (0.3, 0.45)),
        ]
    ):
        rng = np.random.default_rng(seed)
        with temporary_store() as store:
            found = [list(_reported(store, rng, errors, reported, 0.0)) for _ in range(effort.store)]
        shown = sum(any(map(_says_something, looks)) for looks in found)
        yield never("a", f"{what}: a verdict, accuracy, difference or alarm", shown, effort.store)
    rng = np.random.default_rng(2)
    with temporary_store() as store:
        truths = [_reported(store, rng, (0.3, 0.3), (0.3, 0.45), 0.2) for _ in range(effort.store)]
        shown = sum(any(map(decided, looks)) for looks in truths)
    yield seldom("a", "the same, and the truth of a fifth of the images: decides for a side", shown, effort.store)


def _reported(
    store: Store, rng: np.random.Generator, errors: tuple[float, float], reported: tuple[float, float], known: float
) -> Iterator[dict[str, Any]]:
    """Run one experiment; give its report at each look. The truth of a share `known` of all images is told, too."""
    trial = Trial(store, spec(0.5, 0.5, margin=0.05))
    for _ in range(LOOKS):
        served = rng.integers(2, size=UNITS)
        wrong = rng.random(UNITS) < np.take(errors, served)
        answers = [(WRONG, WRONG) if each else (RIGHT, RIGHT) for each in wrong]
        ids = np.array(trial.send(served.tolist(), answers))
        volunteered = wrong & (rng.random(UNITS) < np.take(reported, served))
        trial.label(dict.fromkeys(ids[volunteered].tolist(), TRUTH), "user")
        trial.label(dict.fromkeys(ids[rng.random(UNITS) < known].tolist(), TRUTH), "audit")
        yield trial.report()


def _says_something(report: dict[str, Any]) -> bool:
    """Say whether a report draws anything from labels."""
    assert report["labels"]["user"]
    (comparison,) = report["comparisons"]
    figures = [comparison["diff"], comparison["cs"], *(arm["accuracy"] for arm in report["arms"])]
    return (
        report["decision"]["recommendation"] != "continue"
        or comparison["verdict"] != "undecided"
        or not report["checks"]["label_rate"]["ok"]
        or any(figure is not None for figure in figures)
    )


def a_third_arm_chooses(effort: Effort) -> Iterator[Row]:
    """Paired, three arms: a third one that errs like one of a pair, or is dead, decides whose errors are reported."""
    even = 1 / 3, 1 / 3, 1 / 3
    for seed, (what, weights, like) in enumerate(
        [
            ("errs like control", even, 0),
            ("errs like the variant", even, 1),
            ("errs like control, which serves 60 %", (0.6, 0.2, 0.2), 0),
            ("is dead, and control stands in", even, None),
        ]
    ):
        rng = np.random.default_rng(seed)
        with temporary_store() as store:
            found = np.array([_told_apart(store, rng, weights, like) for _ in range(effort.store)])
        what = f"users report errors, a third arm {what}"
        pairs = ("control and the variant", "control and the third arm") if like is not None else ("the living",)
        for pair, shown in zip(pairs, found.sum(axis=0).tolist(), strict=False):
            yield seldom("c", f"{what}: {pair}, equal, are told apart", shown, effort.store)


def _told_apart(store: Store, rng: np.random.Generator, weights: Sequence[float], like: int | None) -> list[bool]:
    """Run one experiment of equal arms; say for which pairs with control it ever decides.

    A fair coin says which of the first two arms is right; the third one answers as `like` in nine of ten cases, or not.
    """
    trial = Trial(store, spec(*weights, paired=True))
    found = [False, False]
    for _ in range(LOOKS):
        first = rng.random(DISAGREEMENTS) < 0.5
        third = first == (rng.random(DISAGREEMENTS) < 0.9) if like == 0 else first != (rng.random(DISAGREEMENTS) < 0.9)
        answers = [
            (RIGHT if one else WRONG, WRONG if one else RIGHT, None if like is None else RIGHT if other else WRONG)
            for one, other in zip(first, third, strict=True)
        ]
        assigned = rng.choice(3, DISAGREEMENTS, p=weights).tolist()
        ids = trial.send(assigned, answers)
        told = [each for each, said, arm in zip(ids, answers, assigned, strict=True) if (said[arm] or said[0]) == WRONG]
        trial.label(dict.fromkeys(told, TRUTH), "user")
        verdicts = [comparison["verdict"] for comparison in trial.report()["comparisons"]]
        found = [before or verdict in ("better", "worse") for before, verdict in zip(found, verdicts, strict=True)]
    return found
