"""Tell where arms differ: labelled images by their properties. Exploratory: it decides nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments.evidence import judged
from serving.gateway.experiments.outcomes import Design
from serving.gateway.experiments.paired import CONCENTRATION
from serving.gateway.experiments.sequential import log_e_shares, p_anytime
from serving.gateway.experiments.unpaired import Errors
from serving.gateway.store import breakdown as rows

NOTE = (
    "Exploratory: where arms differ, not whether. p-values hold at every moment and are corrected for all rows (Holm). "
    "They count images, or unpaired units, as independent. Confirm a finding in a new experiment."
)
Counted = Iterable[tuple[int, str, str, int, int, int, int]]  # phase, dimension, value, arm, n, won, lost


def breakdown(connection: Connection, experiment: Row) -> dict[str, Any]:
    """Return the breakdown of an experiment as JSON values, from the phases with the present versions of its arms."""
    found = judged(connection, experiment)
    weights = {row.number: row.weights for row in found.rows if row.number >= found.first}
    design = found.spec.design
    counted = rows.read(connection, experiment.id, weights)
    cells = _paired(design, counted) if design.paired else _unpaired(design, counted, weights)
    return {
        "experiment": design.name, "design": "paired" if design.paired else "unpaired", "exploratory": True,
        "note": NOTE, "tests": len(cells), "rows": corrected(cells),
    }  # fmt: skip


def corrected(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cells with `p_holm`: p-values corrected for all of them by Holm's step-down procedure."""
    largest, found = 0.0, {}
    in_order = sorted(range(len(cells)), key=lambda at: cells[at]["p_anytime"])
    for rank, at in enumerate(in_order):
        largest = max(largest, min(1.0, (len(cells) - rank) * cells[at]["p_anytime"]))
        found[at] = largest
    return [{**cell, "p_holm": found[at]} for at, cell in enumerate(cells)]


def _paired(design: Design, counted: Counted) -> list[dict[str, Any]]:
    """Return a row for each value and arm beside control: the images that one of the two alone has right."""
    sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for _, dimension, value, arm, *counts in counted:
        sums[dimension, value, arm] = [sum(each) for each in zip(sums[dimension, value, arm], counts, strict=True)]
    return [
        {
            "dimension": dimension, "value": value, "variant": design.arms[arm], "vs": design.arms[design.control],
            "labelled": n, "only_variant_right": won, "only_control_right": lost, "difference": (won - lost) / n,
            "p_anytime": p_anytime(log_e_shares((won, lost), (1, 1), CONCENTRATION)),
        }
        for (dimension, value, arm), (n, won, lost) in sums.items()
        if arm != design.control
    ]  # fmt: skip


def _unpaired(design: Design, counted: Counted, weights: Mapping[int, Sequence[float]]) -> list[dict[str, Any]]:
    """Return a row for each value and arm beside control: the labelled units of both, and their errors.

    E is as in the report: of each phase the smaller one of two, multiplied over the phases. `weights` are by phase.
    """
    values: dict[tuple[str, str], dict[int, dict[int, tuple[int, int]]]] = defaultdict(lambda: defaultdict(dict))
    for phase, dimension, value, arm, n, _, lost in counted:
        values[dimension, value][phase][arm] = n, lost
    found = []
    for (dimension, value), phases in values.items():
        for arm, variant in enumerate(design.arms):
            of_phases = [
                Errors((wrong, errors), (n, of_arm), weights[phase][design.control] / weights[phase][arm])
                for phase, arms in phases.items()
                for (n, wrong), (of_arm, errors) in [(arms.get(design.control, (0, 0)), arms.get(arm, (0, 0)))]
                if weights[phase][design.control] and weights[phase][arm]
            ]
            wrong, errors = (sum(each.wrong[at] for each in of_phases) for at in (0, 1))
            n, of_arm = (sum(each.labelled[at] for each in of_phases) for at in (0, 1))
            if arm != design.control and n and of_arm:
                log_e = sum(each.log_e_so_far for each in of_phases)
                found.append({
                    "dimension": dimension, "value": value, "variant": variant, "vs": design.arms[design.control],
                    "labelled": of_arm, "control_labelled": n, "variant_errors": errors, "control_errors": wrong,
                    "difference": wrong / n - errors / of_arm, "p_anytime": p_anytime(max(0.0, log_e)),
                })  # fmt: skip
    return found
