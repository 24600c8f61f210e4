"""Compare three e-values on units of several images, while images go on getting labels.

    python -m benchmarks.clusters [false|images]

`false`: the share of experiments with equal arms that ever decide, looked at after each labelled disagreement.
`images`: the median number of images to a decision at 1.0 % against 0.7 % error. Prints a row for each kind of traffic.
Seeded; takes about ten minutes.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.special import roots_jacobi

ALPHA, CONCENTRATION = 0.05, 10.0
GOAL = np.log(1 / ALPHA)
RUNS, POWER_RUNS = 1000, 400
FORMS = ("first", "sign", "net")  # a unit's first labelled disagreement, the sign of its net, and the net itself
BETS, WEIGHTS = roots_jacobi(48, CONCENTRATION / 2 - 1, CONCENTRATION / 2 - 1)
LOG_WEIGHTS = np.log(WEIGHTS / WEIGHTS.sum())
TRAFFIC = [(300, 1, 300), (150, 4, 150), (400, 10, 400), (600, 10, 30), (300, 40, 30)]  # units, images, units at a time
POWER = [("even", 1, 30_000), ("even", 4, 7500), ("even", 10, 3000), ("even", 40, 1000), ("even", 400, 200),
         ("uneven", 4, 10_000), ("uneven", 10, 5000), ("uneven", 40, 2000)]  # fmt: skip
DIFFERING, WON = 0.009, 2 / 3  # share of images that the arms differ on, and of these those that the variant has right


def main() -> None:
    """Print the chosen tables."""
    parser = argparse.ArgumentParser(description="Compare e-values on units of several images.")
    parser.add_argument("what", nargs="?", choices=["false", "images"], help="only this (default: both)")
    what = parser.parse_args().what
    rng = np.random.default_rng(1)
    if what != "images":
        for units, images, together in TRAFFIC:
            for kind, wins in null_streams(rng, units, images):
                labels = order(rng, units, images, together)
                found = {form: false_decisions(wins, labels, form) for form in FORMS}
                shares = ", ".join(f"{form} {share:.1%}" for form, share in found.items())
                print(f"{units} units of {images}, {together} at a time, {kind}: {shares}", flush=True)
    if what != "false":
        for kind, images, units in POWER:
            medians = images_to_a_decision(rng, kind, images, units)
            told = ", ".join(f"{form} {median:,.0f}" for form, median in zip(FORMS, medians, strict=True))
            print(f"units of {images}, {kind}: {told}", flush=True)


def null_streams(rng: np.random.Generator, units: int, images: int) -> Iterator[tuple[str, np.ndarray]]:
    """Give outcomes ±1, [runs, units, images], that favour neither arm."""
    shape = RUNS, units, images
    yield "independent", np.where(rng.random(shape) < 0.5, 1, -1)
    yield "partly alike", np.where(rng.random(shape) < rng.beta(2, 2, (RUNS, units, 1)), 1, -1)
    yield "alike", np.where(rng.random((RUNS, units, 1)) < 0.5, 1, -1) * np.ones(shape, int)


def order(rng: np.random.Generator, units: int, images: int, together: int) -> np.ndarray:
    """Return the unit of each label: shuffled within groups of units that come `together`."""
    groups = np.arange(units).reshape(-1, together)
    return np.concatenate([rng.permutation(np.repeat(group, images)) for group in groups])


def false_decisions(wins: np.ndarray, labels: np.ndarray, form: str) -> float:
    """Return the share of runs in which E ever reaches 1/α; `labels` as of `order`."""
    runs, units, _ = wins.shape
    net, seen, outcomes = np.zeros((runs, units)), np.zeros(units, int), np.zeros((runs, units))
    log_products, most = np.zeros((runs, len(BETS))), np.zeros(runs)
    for unit in labels:
        net[:, unit] += wins[:, unit, seen[unit]]
        seen[unit] += 1
        before = outcomes[:, unit].copy()
        now = _outcome(form, net[:, unit], seen[unit], before)
        outcomes[:, unit] = now
        log_products += np.log1p(np.outer(now, BETS)) - np.log1p(np.outer(before, BETS))
        most = np.maximum(most, np.logaddexp.reduce(log_products + LOG_WEIGHTS, axis=1))
    return float((most >= GOAL).mean())


def _outcome(form: str, net: np.ndarray, seen: int, before: np.ndarray) -> np.ndarray:
    if form == "first":
        return net if seen == 1 else before
    return np.sign(net) if form == "sign" else net / seen


def images_to_a_decision(rng: np.random.Generator, kind: str, images: int, units: int) -> list[float]:
    """Return the median images to a decision for each form; `uneven`: a fifth of the units differs, each in its way."""
    shape = POWER_RUNS, units
    uneven = kind == "uneven"
    cases = rng.binomial(images, DIFFERING * 5 * (rng.random(shape) < 0.2) if uneven else DIFFERING, shape)
    won = rng.binomial(cases, rng.beta(2, 1, shape) if uneven else WON)
    net = np.divide(2 * won - cases, cases, out=np.zeros(shape), where=cases > 0)
    first = np.where(rng.random(shape) * cases < won, 1, -1) * (cases > 0)
    return [float(np.median(_stops(outcomes) * images)) for outcomes in (first, np.sign(net), net)]


def _stops(outcomes: np.ndarray) -> np.ndarray:
    """Return after how many units each run decides, infinity for never."""
    stops = np.full(len(outcomes), np.inf)
    for run, row in enumerate(outcomes):
        used = np.flatnonzero(row)
        log_e = np.logaddexp.reduce(np.log1p(np.outer(row[used], BETS)).cumsum(axis=0) + LOG_WEIGHTS, axis=1)
        if (log_e >= GOAL).any():
            stops[run] = used[(log_e >= GOAL).argmax()] + 1
    return stops


if __name__ == "__main__":
    main()
