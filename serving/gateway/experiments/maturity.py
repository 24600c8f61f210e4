"""Tell whether the labels are in yet: their delays, the shares of exposures that have one, and what is expected."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any

from serving.gateway import moments
from serving.gateway.experiments.outcomes import Design
from serving.gateway.store import days
from serving.gateway.store.counts import Count, Tally

AGES = (0, 1, 2, 4, 8, 16, 32, 64)  # days: the lower bounds of the groups of exposures
MATURE = 0.8  # share of the labels that come until exposures are mature


def maturity(
    design: Design, total: Tally, began: float | None, now: datetime, till: datetime | None = None,
    exposed: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return how far the labels of an experiment are as JSON values; `began` is the start of its evidence, in seconds.

    An exposure is, paired, an image on which the arms disagree; unpaired, a unit. The experiment ran `till` then, or
    runs `now`, and `exposed` that many units, or the sum of its phases'.
    """
    arms = range(len(design.arms))
    delays = [_delays(total, arm) for arm in arms]
    together = _merged(delays)
    p80 = _quantile(together, MATURE)
    cohorts = _cohorts(design, total)
    moment = now.timestamp() / days.DAY_SECONDS
    mature = [cohort for cohort in cohorts if p80 is not None and cohort[0] + 1 + p80 <= moment]
    return {
        "exposure": "disagreement" if design.paired else "unit",
        "delay": {
            "labels": sum(n for _, n in together), "median_days": _quantile(together, 0.5), "p80_days": p80,
            "histogram": [{"days": _days(bucket), "labels": n} for bucket, n in together],
            "arms": [
                {"variant": design.arms[arm], "labels": sum(n for _, n in delays[arm]),
                 "median_days": _quantile(delays[arm], 0.5), "p80_days": _quantile(delays[arm], MATURE)}
                for arm in arms
            ],
        },
        "ages": [
            {"from_days": low, "to_days": high, **_labelled(_aged(cohorts, int(moment), low, high))}
            for low, high in zip(AGES, (*AGES[1:], None), strict=True)
        ],
        "mature": _labelled(mature),
        "expected": _expected(cohorts, mature, p80),
        "waits": _waits(design, total, began, till or now, exposed),
    }  # fmt: skip


def median_delay_days(total: Tally, arms: int) -> float | None:
    """Return the median delay of the labels that have come, None without any."""
    return _quantile(_merged([_delays(total, arm) for arm in range(arms)]), 0.5)


def too_early(design: Design, units: int, began: float | None, till: datetime) -> str | None:
    """Return why a verdict on accuracy has to wait for the least run time or number of units, None if it has not to."""
    missing, ran = [], days_since(began, till)
    if ran < design.min_days:
        missing.append(f"{ran:.1f} of {design.min_days:g} days have passed")
    if units < design.min_units:
        missing.append(f"{units:,} of {design.min_units:,} units have been exposed")
    return f"It is too early for a verdict: {' and '.join(missing)}." if missing else None


def days_since(began: float | None, till: datetime) -> float:
    """Return the days from `began`, in seconds, till then; 0 before a start."""
    return 0.0 if began is None else (till.timestamp() - began) / days.DAY_SECONDS


Cohort = tuple[int, int, int]  # day of exposure, exposures, those with a label


def _cohorts(design: Design, total: Tally) -> list[Cohort]:
    came, told = (days.DIFFERING, days.DIFFERING_LABELLED) if design.paired else (days.UNITS, days.LABELLED)
    found: dict[int, list[int]] = {}
    for count, n in total.items():
        if count.name in (came, told):
            found.setdefault(count.value, [0, 0])[count.name == told] += n
    # A unit that comes again may get its label on an image of a later day. A label from before an upgrade, which no
    # count has, takes one away when it is replaced.
    return [
        (day, max(0, exposures), max(0, min(labelled, exposures)))
        for day, (exposures, labelled) in sorted(found.items())
    ]


def _aged(cohorts: Sequence[Cohort], today: int, low: int, high: int | None) -> list[Cohort]:
    """Return the exposures from `low` days ago on, and under `high` days."""
    return [cohort for cohort in cohorts if low <= today - cohort[0] and (high is None or today - cohort[0] < high)]


def _labelled(cohorts: Sequence[Cohort]) -> dict[str, Any]:
    exposures, labelled = sum(cohort[1] for cohort in cohorts), sum(cohort[2] for cohort in cohorts)
    return {"exposures": exposures, "labelled": labelled, "share": labelled / exposures if exposures else None}


def _expected(cohorts: Sequence[Cohort], mature: Sequence[Cohort], p80: float | None) -> dict[str, Any] | None:
    """Return how many labels of present exposures are still to come, and by when most are; None while unknown.

    The others get labels as often as the mature ones.
    """
    share = _labelled(mature)["share"]
    if share is None or p80 is None:
        return None
    young = cohorts[len(mature) :]  # mature are the first ones, by their days
    labels = sum(max(0.0, share * exposures - labelled) for _, exposures, labelled in young)
    last = max(cohort[0] for cohort in cohorts) + 1 + p80
    return {"labels": round(labels), "by": moments.written(last * days.DAY_SECONDS, "seconds")}


def _waits(
    design: Design, total: Tally, began: float | None, till: datetime, exposed: int | None
) -> dict[str, Any]:  # fmt: skip
    until = None if began is None else began + design.min_days * days.DAY_SECONDS
    units = sum(total[Count("units", arm)] for arm in range(len(design.arms))) if exposed is None else exposed
    return {
        "days": round(days_since(began, till), 2), "min_days": design.min_days,
        "units": units, "min_units": design.min_units,
        "until": None if until is None else moments.written(until, "seconds"),
        "reason": too_early(design, units, began, till),
    }  # fmt: skip


def _delays(total: Tally, arm: int) -> list[tuple[int, int]]:
    return sorted((count.value, n) for count, n in total.items() if count.name == days.DELAY and count.arm == arm)


def _merged(histograms: Sequence[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    merged: dict[int, int] = {}
    for bucket, n in (item for histogram in histograms for item in histogram):
        merged[bucket] = merged.get(bucket, 0) + n
    return sorted(merged.items())


def _quantile(histogram: list[tuple[int, int]], share: float) -> float | None:
    """Return the upper bound, in days, of the bucket with this quantile."""
    rank = share * sum(n for _, n in histogram)
    reached: Iterator[int] = accumulate(n for _, n in histogram)
    return next((_days(bucket) for (bucket, _), n in zip(histogram, reached, strict=True) if n >= rank), None)


def _days(bucket: int) -> float:
    return round(days.upper_bound(bucket) / days.DAY_SECONDS, 6)
