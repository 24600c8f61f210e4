"""Weigh the evidence of a hold-back against the promotion that it watches."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from serving.gateway.experiments.reasons import spent
from serving.gateway.experiments.sequential import e_value, log_e_above, log_mean_weighted, p_anytime
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import interim_results

REGRESSION = "regression"  # the verdict that proposes a rollback

Firsts = tuple[int, int]  # units whose first case the old default alone has right, and the promoted variant alone


def judge_regression(connection: Connection, experiment: Row, built: dict[str, Any]) -> None:
    """Add the evidence against the promotion to the report of a hold-back, and decide by it alone."""
    spec = ExperimentSpec.model_validate(experiment.spec)
    (comparison,) = built["comparisons"]
    promoted, old = spec.control, comparison["variant"]
    log_e = log_e_regression(tuple(comparison["firsts"]), _checkpoints(connection, experiment))
    threshold = 1 / spec.alpha
    built["regression"] = {
        "variant": promoted, "vs": old, "e_value": e_value(log_e), "e_threshold": threshold,
        "p_anytime": p_anytime(log_e),
    }  # fmt: skip
    if (
        built["decision"]["recommendation"] in ("unhealthy", "guardrail_broken")
        or not built["checks"]["stand_ins"]["ok"]
    ):
        return  # an old default that others answer for is nothing to go back to
    cases = f"{old} alone was right on {comparison['only_variant_right']:,} images, {promoted} alone on " \
            f"{comparison['only_control_right']:,}"  # fmt: skip
    found = f"{cases} (evidence against the promotion E = {e_value(log_e):.3g}, {threshold:.3g} needed)."
    if log_e >= math.log(threshold):
        said = f"{promoted} has become worse than {old}, which it displaced: roll back. {found}"
        built["decision"] = {"recommendation": REGRESSION, "variant": old, "reasons": [said]}
    elif built["counts"]["labelled"] - built["counts"]["volunteered"] >= spec.max_labels:
        built["decision"] = {"recommendation": "inconclusive", "variant": None,
                             "reasons": [spent(spec.design), f"{promoted} stays the default: {found}"]}  # fmt: skip
    else:
        said = f"Nothing speaks against the promotion of {promoted} over {old} so far: {found}"
        built["decision"] = {"recommendation": "continue", "variant": None, "reasons": [said]}


def log_e_regression(now: Firsts, checkpoints: Sequence[Firsts]) -> float:
    """Return log E against "of the units that only one of two has right, the old default never wins more than half".

    A variant may be better for long and then turn worse: evidence for it would outweigh what comes later. So E is a
    mixture of one-sided tests: one counts from the start, one from each checkpoint. Their weights, a half and
    1/(2 j (j + 1)), add up to 1; tests to come stand at 1. E-processes that begin at stopping times mix to another one.
    Shin, Ramdas and Rinaldo (arXiv 2203.03532) add up such processes to detect a change.
    """
    logs, weights = [log_e_above(*now, 1.0)], [0.5]
    for j, before in enumerate(checkpoints, 1):
        won, lost = (max(0, n - m) for n, m in zip(now, before, strict=True))  # labels may be replaced
        logs.append(log_e_above(won, lost, 1.0))
        weights.append(0.5 / (j * (j + 1)))
    return log_mean_weighted([*logs, 0.0], [*weights, 1 - math.fsum(weights)])


def _checkpoints(connection: Connection, experiment: Row) -> list[Firsts]:
    """Return the counts at each interim result of the present epoch: each time the labels had grown by a tenth."""
    kept = interim_results.present(connection, experiment.id)
    found = [tuple(each.comparisons[0]["firsts"]) for each in kept]
    return [(won, lost) for won, lost in found]
