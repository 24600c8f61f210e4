"""Write the statistics of a suite as one JSON document: arms, comparisons, claims."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from training import evaluate
from training.study import tables
from training.study.analysis import significance
from training.study.analysis.comparisons import CLAIMS, Comparison
from training.study.result import Result
from training.study.run import Suite

ALPHA = 0.05
COVERAGES = np.round(np.linspace(0.5, 1.0, 51), 2)
DIGITS = 8


class Arms:
    """A suite's results, arm by arm in its order: figures `[seeds]` by column, and right answers `[seeds, images]`."""

    def __init__(self, suite: Suite, results: Sequence[Result]) -> None:
        self.results = {name: [r for r in results if r.arm == name] for name in suite.titles}
        rows = {name: [tables.figures(r, suite.labels) for r in rs] for name, rs in self.results.items()}
        self.figures = {
            name: {column: np.array([row[column] for row in of_arm]) for column in tables.COLUMNS}
            for name, of_arm in rows.items()
        }
        self.right = {name: np.stack([tables.right(r, suite.labels) for r in rs]) for name, rs in self.results.items()}


def document(suite: Suite, results: Sequence[Result]) -> dict[str, Any]:
    """Return all statistics of a suite; nothing in it depends on the clock."""
    arms = Arms(suite, results)
    compared = compare(suite, arms)
    numbers = sorted({row["claim"] for row in compared if row["claim"]})
    return {
        "suite": suite.name,
        "about": suite.about,
        "arms": {name: {"title": title, **_of_arm(arms, name)} for name, title in suite.titles.items()},
        "comparisons": compared,
        "claims": [_claim(suite, number, [row for row in compared if row["claim"] == number]) for number in numbers],
    }


def text(document: dict[str, Any]) -> str:
    """Return a document as JSON, numbers to eight significant digits, NaN as null."""
    return json.dumps(_plain(document), indent=1, ensure_ascii=False) + "\n"


def _of_arm(arms: Arms, name: str) -> dict[str, Any]:
    confidences = np.concatenate([r.confidences for r in arms.results[name]])
    right = arms.right[name].ravel()
    of_seeds = {}
    for column, values in arms.figures[name].items():
        there = values[~np.isnan(values)]
        of_seeds[column] = significance.summarise(there)._asdict() if len(there) else {"n": 0}
    return {
        **of_seeds,
        "reliability": evaluate.reliability(confidences, right)._asdict(),
        "selective": {
            "coverages": COVERAGES, "accuracies": evaluate.selective_accuracy(confidences, right, COVERAGES)
        },
    }  # fmt: skip


def compare(suite: Suite, arms: Arms) -> list[dict[str, Any]]:
    """Return a row a comparison of arms that are there; Holm's family is the comparisons of one claim."""
    here = [c for c in suite.comparisons if c.a in suite.titles and c.b in suite.titles]
    draws = significance.image_draws(len(suite.labels)) if here else None
    rows = [_compare(suite, arms, comparison, draws) for comparison in here]
    for claim in {row["claim"] for row in rows}:
        family = [row for row in rows if row["claim"] == claim]
        for row, adjusted in zip(family, significance.holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = adjusted
            row["outcome"] = outcome(row["difference"], adjusted, row["claimed"])
    return rows


def _compare(suite: Suite, arms: Arms, comparison: Comparison, draws: np.ndarray | None) -> dict[str, Any]:
    metric, names = comparison.metric, (comparison.a, comparison.b)
    a, b = (arms.figures[name][metric] for name in names)
    if metric.startswith("steps_to_"):  # a member that never gets there took all its steps, at least
        a, b = (np.where(np.isnan(values), suite.about["steps"], values) for values in (a, b))
    row = {**vars(comparison), **significance.difference(a, b)._asdict()}
    if metric == "test_accuracy" and draws is not None:
        right_a, right_b = (arms.right[name] for name in names)
        row["bootstrap"] = significance.bootstrap(right_a, right_b, draws)
        row["mcnemar"] = significance.exact_mcnemar(right_a[0], right_b[0])._asdict()
    return row


def outcome(difference: float, p: float, claimed: int) -> str:
    """Return a comparison's outcome beside the sign that is claimed: `+1`, `-1`, or 0 for no claim."""
    if math.isnan(p):
        return "not tested"
    if p >= ALPHA:
        return "no difference shown"
    if not claimed:
        return "more" if difference > 0 else "less"
    return "as claimed" if difference * claimed > 0 else "the other way"


def _claim(suite: Suite, number: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = [row["outcome"] for row in rows if row["claimed"]]
    asked = sum(c.claim == number and c.claimed != 0 for c in suite.comparisons)
    return {
        "number": number,
        "claim": CLAIMS[number],
        "verdict": verdict(outcomes),
        "outcomes": outcomes,
        "left_out": asked - len(outcomes),
    }


def verdict(outcomes: Sequence[str]) -> str:
    """Return the verdict on a claim, from the outcomes of the comparisons whose sign it claims."""
    kinds = set(outcomes) - {"not tested"}
    if not kinds:
        return "not tested"
    if kinds == {"as claimed"}:
        return "holds"
    if "as claimed" in kinds:
        return "holds in part"
    return "does not hold: the other way" if "the other way" in kinds else "not shown"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
