"""Fault e: failed and slow requests that come together, and guardrails that share no α."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.faults.rows import Effort, Row, never, seldom
from serving.gateway.experiments.assignment import Assignment
from serving.gateway.experiments.cache import Running
from serving.gateway.experiments.guardrails import watch_guardrails
from serving.gateway.experiments.outcomes import Design
from serving.gateway.experiments.traffic import Outcome, asked, exposure
from serving.gateway.inference.batching import ModelCall
from serving.gateway.store.exposures import Exposure
from testing.phase_counts import PAIRED, RAILS, cases, mcnemar, paired_phase
from testing.trials import Trial, spec, temporary_store

FAILING = {"metric": "error_rate", "margin": 0.5}
SLOW = {"metric": "slow", "margin": 0.5, "threshold_ms": 100}
LOOKS = 12
AT_BOUND = 1.5  # times control's rate: just within the margin
FINE, FAILED, LATE = Outcome(5.0, False, []), Outcome(5.0, True, None), Outcome(500.0, False, [])

Batch = Callable[[np.random.Generator, Running], list[Exposure]]
Faults = Callable[[np.random.Generator, int, float], np.ndarray]  # which requests of a call fail, at some rate
KEYS = (f"{number:024x}" for number in itertools.count(1 << 64))


def cases_together(effort: Effort) -> Iterator[Row]:
    """A variant just within the margin must not break a guardrail."""
    even, uneven = (0.5, 0.5), (0.9, 0.1)
    together: list[tuple[str, dict, bool, tuple[float, float], Batch]] = [
        ("background calls of 20 to 50 requests fail together", FAILING, True, even, _failed_calls),
        ("heavy units are slow 10 to 100 times each", SLOW, False, even, _heavy_units),
        ("weights 0.9 and 0.1, calls fail", FAILING, False, uneven, partial(_busy, _fault_of_call)),
        ("weights 0.9 and 0.1, requests fail", FAILING, False, uneven, partial(_busy, _faults_of_requests)),
    ]
    for seed, (what, rail, paired, weights, batch) in enumerate(together):
        rng = np.random.default_rng(seed)
        with temporary_store() as store:
            trials = (Trial(store, spec(*weights, paired=paired, guardrails=[rail])) for _ in range(effort.store))
            broken = sum(_breaks(trial, rng, batch) for trial in trials)
        yield seldom("e", f"{what}: a guardrail breaks", broken, effort.store)
    yield _charged_to_control(effort.application)
    yield _background(effort.counts)
    yield _ten(effort.counts)


def _breaks(trial: Trial, rng: np.random.Generator, batch: Batch) -> bool:
    """Run one experiment; say whether its guardrail breaks at some look."""
    running = trial.running()
    for _ in range(LOOKS):
        trial.write(batch(rng, running))
        (found,) = trial.report()["guardrails"]
        if found["state"] == "broken":
            return True
    assert found["variant_count"] and found["control_count"]
    return False


def _balanced(rng: np.random.Generator, running: Running, sent: list[Exposure]) -> list[Exposure]:
    """Return exposures with further ones, without a fault, that give each arm as many units."""
    units = [len({one.unit for one in sent if one.assigned == arm}) for arm in (0, 1)]
    lacking = units.index(min(units))
    more = [_exposure(running, int(rng.integers(1 << 60)), lacking, FINE) for _ in range(abs(units[0] - units[1]))]
    return [*sent, *more]


def _failed_calls(rng: np.random.Generator, running: Running) -> list[Exposure]:
    """Return the exposures of one look, with some calls in the background that failed."""
    found = []
    for arm, calls in enumerate(rng.poisson([2, 2 * AT_BOUND]).tolist()):
        for requests in rng.integers(20, 51, calls).tolist():
            failed = FAILED._replace(call=ModelCall())
            for _ in range(requests):
                one = _exposure(running, int(rng.integers(1 << 60)), 1 - arm, FINE)
                background = asked(running, arm, failed, shadow=True)
                found.append(replace(one, asked=(*one.asked, background)))
    return _balanced(rng, running, found)


def _heavy_units(rng: np.random.Generator, running: Running) -> list[Exposure]:
    """Return the exposures of one look: those of about five units whose requests are all slow."""
    found = [
        _exposure(running, unit, arm, LATE._replace(call=ModelCall()))
        for arm, units in enumerate(rng.poisson([2, 2 * AT_BOUND]).tolist())
        for unit in rng.integers(1 << 60, size=units).tolist()
        for _ in range(rng.integers(10, 101))
    ]
    return _balanced(rng, running, found)


def _busy(faults: Faults, rng: np.random.Generator, running: Running) -> list[Exposure]:
    """Return the exposures of one look: half a second of 800 requests a second, each of a new unit.

    What comes in for an arm within 5 ms travels in one call. So the busier arm has more requests in each.
    """
    found = []
    for arm, weight in enumerate(running.split.weights):
        for requests in rng.poisson(4 * weight, 100).tolist():
            call = ModelCall()
            for failed in faults(rng, requests, 0.02 * (1 if arm == running.control else AT_BOUND)).tolist():
                outcome = (FAILED if failed else FINE)._replace(call=call)
                found.append(_exposure(running, int(rng.integers(1 << 60)), arm, outcome, weight))
    return found


def _fault_of_call(rng: np.random.Generator, requests: int, rate: float) -> np.ndarray:
    return np.full(requests, rng.random() < rate)


def _faults_of_requests(rng: np.random.Generator, requests: int, rate: float) -> np.ndarray:
    return rng.random(requests) < rate


def _exposure(running: Running, unit: int, arm: int, outcome: Outcome, weight: float = 0.5) -> Exposure:
    return exposure(next(KEYS), running, Assignment(arm, weight, unit), arm, {arm: outcome}, images=1)


def _charged_to_control(runs: int) -> Row:
    """Time out a variant, and control in its place, which has no time left."""
    charged = 0
    with temporary_store() as store:
        for _ in range(runs):
            trial = Trial(store, spec(0.5, 0.5, guardrails=[FAILING]))
            running = trial.running()
            trial.write([_exposure(running, unit, 0, FINE) for unit in range(50)])
            for unit in range(50, 100):
                both = {arm: FAILED._replace(call=ModelCall()) for arm in (1, 0)}
                trial.write([exposure(next(KEYS), running, Assignment(1, 0.5, unit), None, both, images=1)])
            (found,) = trial.report()["guardrails"]
            assert found["variant_count"] == 50
            charged += found["control_count"] > 0
    return never("e", "a variant's time-outs leave control no time: control is charged", charged, runs)


def _background(runs: int) -> Row:
    """Serve 8 of 10 units by control; whatever is asked in the background is four times as often slow."""
    design, weights = replace(PAIRED, guardrails=RAILS[1:]), np.array([0.8, 0.2])
    steps = np.random.default_rng(3).poisson([10 * weights, 40 * (1 - weights)] * np.array([1, AT_BOUND]),
                                             size=(runs, LOOKS, 2, 2)).cumsum(axis=1)  # fmt: skip
    broken = sum(
        any(
            state.broken
            for served, shadow in run
            for state in watch_guardrails(
                design, [mcnemar(0, 0, 0, weights=tuple(weights.tolist()), slow=cases(served, shadow))]
            )
        )
        for run in steps.tolist()
    )  # fmt: skip
    return seldom("e", "background requests are slow four times as often: a guardrail breaks", broken, runs)


def _ten(runs: int) -> Row:
    """Watch five variants with two guardrails each, all just within their margin."""
    design = Design("six", tuple("abcdef"), 0, False, 0.05, 0.002, 9, RAILS)
    rates = [20.0] + [20 * AT_BOUND] * 5
    steps = np.random.default_rng(6).poisson(rates, size=(runs, 2 * LOOKS, 2, 6)).cumsum(axis=1)
    broken = 0
    for run in steps.tolist():
        looks = (paired_phase({}, arms=6, failed=cases(failed), slow=cases(slow)) for failed, slow in run)
        broken += any(state.broken for phase in looks for state in watch_guardrails(design, [phase]))
    return seldom("e", "ten guardrails at their bounds: one of them breaks", broken, runs)
