"""The counts of many simulated experiments are weighed as the gateway weighs those of one."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import binom

from serving.gateway.experiments.checks import check_health
from serving.gateway.experiments.comparison import compare
from serving.gateway.experiments.decision import decide
from serving.gateway.experiments.outcomes import Design, PairCounts, PhaseCounts
from serving.gateway.experiments.planning.looks import first_cases, place_looks
from serving.gateway.experiments.planning.rates import rates_of
from serving.gateway.experiments.planning.simulation import VERDICTS, verdicts
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.planning.streams import (
    PairedStream,
    Stream,
    UnpairedStream,
    cases_of_a_unit,
    log_gamma,
)
from testing.phase_counts import paired_phase, unpaired_phase

RNG = np.random.default_rng(1)
UNITS, SIZE = 500, 4
SPEC = PlanSpec.model_validate(
    {"control_error": 0.3, "variant_error": 0.25, "disagreement": 0.2, "images_per_unit": SIZE, "margin": 0.05,
     "arms": 3, "max_labels": 600, "label": "all", "weight": 0.2}
)  # fmt: skip
ARMS = Design("plan", ("control", "variant"), 0, True, SPEC.alpha / 2, SPEC.margin, SPEC.max_labels)


def same_as_the_gateway(stream: Stream, counts: list[int], labels: int, phase: PhaseCounts, design: Design) -> str:
    """Weigh counts both ways, and return the verdict; `design` shares α between two arms, as SPEC does with three."""
    arrays = [np.full((1, 1), float(count)) for count in counts]
    found = stream.weigh(arrays, np.array([float(UNITS)]), np.array([float(UNITS * SIZE)]))
    one = compare(design, [phase], 1)
    assert found.log_e.item() == pytest.approx(one.log_e, abs=1e-8)
    assert found.lean.item() == pytest.approx(one.lean)
    assert (found.difference.item(), found.n.item()) == (pytest.approx(one.difference), one.n)
    assert found.labels.item() == labels
    decision = decide(design, check_health(design, []), [], [one], labels)
    assert VERDICTS[verdicts(SPEC, found).item()] == decision.recommendation
    return decision.recommendation


def test_paired_evidence_is_weighed_as_the_gateway_does() -> None:
    stream = PairedStream(SPEC, rates_of(SPEC), place_looks(SPEC, rates_of(SPEC)), RNG)
    seen = set()
    for share in (0.5, 0.5, 0.5, 0.62, 0.75, 0.2) * 20:
        firsts, more = RNG.integers(5, 300), RNG.integers(0, 100)
        first, others = RNG.binomial(firsts, share), RNG.binomial(more, share)
        won, lost = int(first + others), int(firsts - first + more - others)
        squares = int(firsts + RNG.integers(0, 50))
        pair = PairCounts(
            units=UNITS, images=UNITS * SIZE, disagreements=won + lost, labelled_disagreements=won + lost, won=won,
            lost=lost, first_won=int(first), first_lost=int(firsts - first), net=Counter({1: int(firsts)}),
            squares=squares, products=SIZE * (won - lost), sizes=SIZE * SIZE * UNITS,
        )  # fmt: skip
        phase = paired_phase({}, pairs=(PairCounts(), pair))
        counts = [int(first), int(firsts - first), won, lost, 0, squares]
        seen.add(same_as_the_gateway(stream, counts, UNITS * SIZE, phase, ARMS))
    assert seen == {"ship", "roll_back", "equivalent", "inconclusive"}


def test_unpaired_evidence_is_weighed_as_the_gateway_does() -> None:
    stream = UnpairedStream(SPEC, rates_of(SPEC), place_looks(SPEC, rates_of(SPEC)), RNG)
    design, seen = Design("plan", ARMS.arms, 0, False, ARMS.alpha, ARMS.margin, ARMS.max_labels), set()
    for rates in ((0.3, 0.3), (0.3, 0.1), (0.1, 0.4), (0.02, 0.02)) * 20:
        of_variant = int(RNG.integers(80, 120))
        wrong = [int(RNG.binomial(n, rate)) for n, rate in zip((UNITS - of_variant, of_variant), rates, strict=True)]
        phase = unpaired_phase(wrong, (UNITS - of_variant, of_variant), weights=(0.8, 0.2))
        seen.add(same_as_the_gateway(stream, [of_variant, *wrong], UNITS, phase, design))
    assert seen >= {"ship", "roll_back", "continue"}


def test_a_unit_has_binomial_cases() -> None:
    for size, case in ((1, 0.01), (4, 0.2), (100, 0.3), (1000, 0.9)):
        some, shares = cases_of_a_unit(size, case)
        assert some == pytest.approx(1 - (1 - case) ** size)
        expected = binom.pmf(np.arange(1, len(shares) + 1), size, case) / some
        assert shares == pytest.approx(expected, abs=1e-5)
    assert cases_of_a_unit(3, 1.0)[1].tolist() == [0, 0, 1]


def test_log_gamma_is_exact() -> None:
    x = np.concatenate([RNG.uniform(0.01, 50, 1000), 10.0 ** RNG.uniform(1, 12, 1000)])
    assert log_gamma(x) == pytest.approx(gammaln(x), rel=1e-12, abs=1e-10)


def test_looks_reach_the_last_label_and_wait_for_late_ones() -> None:
    spec = SPEC.model_copy(update={"label": "disagreements", "images_per_day": 1000.0, "label_delay_days": 2.0})
    rates = rates_of(spec)
    looks = place_looks(spec, rates)
    assert looks.units[-1] * SIZE * rates.disagreement >= spec.max_labels
    assert looks.new.sum() == looks.units[-1]
    labelled = looks.images - 2000 * -np.expm1(-looks.images / 2000)
    assert labelled == pytest.approx(looks.units * SIZE)
    assert math.isclose(place_looks(SPEC, rates).images[-1], place_looks(SPEC, rates).units[-1] * SIZE)


@pytest.mark.parametrize("size", [1, 10, 1000])
@pytest.mark.parametrize("days", [0.001, 1.0, 30.0])
def test_first_cases_are_those_of_units_that_are_simulated(size: int, days: float) -> None:
    spec = PlanSpec.model_validate(
        {"control_error": 0.03, "variant_error": 0.02, "disagreement": 0.04, "images_per_unit": size,
         "images_per_day": 2000, "label_delay_days": days, "max_labels": 100_000}
    )  # fmt: skip
    case, looks = 0.03, place_looks(spec, rates_of(spec))
    at = int(np.searchsorted(looks.images, 200_000))
    sent, rng = int(looks.images[at]), np.random.default_rng(1)
    labelled = np.arange(sent) + rng.exponential(2000 * days, sent) < sent
    cases = np.flatnonzero(labelled & (rng.random(sent) < case))
    first = len(np.unique(cases // size))
    expected = np.cumsum(first_cases(looks.images, 2000 * days, size, case) * case * size * looks.new)[at]
    assert first == pytest.approx(expected, abs=4 * math.sqrt(expected) + 2)
