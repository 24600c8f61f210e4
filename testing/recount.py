"""Count an experiment again from its rows, to check its counters."""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, select

from serving.gateway.experiments import scorings
from serving.gateway.store import breakdown, counts, days
from serving.gateway.store.counts import Count, Tally
from serving.gateway.store.images import FIELDS
from serving.gateway.store.scoring import (
    NO_WEIGHT,
    Image,
    PairScore,
    UnitResult,
    image_facts,
    image_tally,
    outcome_days,
    outcome_tally,
    pair_score,
    pair_scores,
    unit_tally,
)
from serving.gateway.store.sources import RANK
from serving.gateway.store.tables import breakdown as breakdown_rows
from serving.gateway.store.tables import exposures, feedback, images, unit_results, units

# Counters without rows to count: of requests, of repeats, and of the order in which labels came.
WITHOUT_ROWS = {
    "exposures", "exposed_images", "requests", "calls", "calls_shadow", "failures", "latency", "latency_shadow",
    "stand_ins", "repeats", "pool", "drawn", "sample_log_e", days.UNITS, days.DELAY,
}  # fmt: skip


def recounted(connection: Connection, experiment: int) -> dict[int, Tally]:
    """Return the counters of an experiment by phase, counted from its rows."""
    phases: dict[int, Tally] = defaultdict(Tally)
    for unit in _rows(connection, units, experiment):
        phases[unit.phase][Count("units", unit.arm)] += 1
    for label in _in_force(connection, experiment):
        phases[label.phase][Count(f"labels_{label.source}", label.arm)] += 1
    scored = scorings.alone(connection, [experiment])[experiment]
    outcomes = {(row.phase, row.unit): row.image for row in _rows(connection, units, experiment)}
    for _, image in _images(connection, experiment):
        scoring = scored[image.phase]
        phases[image.phase].update(image_tally(image_facts(image, pair_scores(image, scoring), scoring)))
        if outcomes.get((image.phase, image.unit)) == image.image:
            phases[image.phase].update(outcome_tally(image, scored[image.phase]))
            phases[image.phase].update(outcome_days(image))
    for (_, _), (phase, results) in unit_results_of(connection, experiment).items():
        phases[phase].update(unit_tally(results))
    return {phase: Tally({count: n for count, n in tally.items() if n}) for phase, tally in phases.items()}


def kept(connection: Connection, experiment: int) -> dict[int, Tally]:
    """Return the counters as kept, without those that cannot be counted again, and without zeros."""
    return {
        phase: Tally({count: n for count, n in tally.items() if n and count.name not in WITHOUT_ROWS})
        for phase, tally in counts.read(connection, experiment).items()
    }


def breakdown_problems(connection: Connection, experiment: int) -> list[str]:
    """Return the faults of an experiment's breakdown, counted again from its images."""
    scored = scorings.alone(connection, [experiment])[experiment]
    outcomes = {(row.phase, row.unit): row.image for row in _rows(connection, units, experiment)}
    again: dict[tuple[int, str, str, int], Counter[str]] = defaultdict(Counter)
    for _, image in _images(connection, experiment):
        scoring = scored[image.phase]
        if scoring.paired:
            cells = breakdown.of_image(image, pair_scores(image, scoring), scoring)
        else:
            chosen = outcomes.get((image.phase, image.unit)) == image.image
            cells = breakdown.of_outcome(image if chosen else None)
        for cell, n in cells.items():
            again[image.phase, *cell[:3]][cell.measure] += n
    sums: dict[tuple[int, str, str, int], Counter[str]] = defaultdict(Counter)
    for row in _rows(connection, breakdown_rows, experiment):
        sums[row.phase, row.dimension, row.value, row.arm].update(dict(zip(breakdown.MEASURES, row[-3:], strict=True)))
    kept = {key: tuple(each[measure] for measure in breakdown.MEASURES) for key, each in sums.items() if each["n"]}
    counted = {key: tuple(each[measure] for measure in breakdown.MEASURES) for key, each in again.items()}
    return [
        f"{key}: {kept.get(key)} kept, {counted.get(key)} recounted"
        for key in kept.keys() | counted.keys()
        if kept.get(key) != counted.get(key)
    ]


def problems(connection: Connection, experiment: int) -> list[str]:
    """Return the faults of an experiment's counters, results of units and outcomes; none in a sound store."""
    found = []
    again, as_kept = recounted(connection, experiment), kept(connection, experiment)
    for phase in sorted(again.keys() | as_kept.keys()):
        one, other = again.get(phase, Tally()), as_kept.get(phase, Tally())
        for count in sorted(one.keys() | other.keys()):
            if one[count] != other[count] and not count.name.startswith("case_"):
                found.append(f"phase {phase}, {count}: {other[count]} kept, {one[count]} recounted")
    found += _result_problems(connection, experiment) + _outcome_problems(connection, experiment)
    found += breakdown_problems(connection, experiment)
    exposed = {(row.phase, row.unit) for row in _rows(connection, exposures, experiment)}
    known = {(row.phase, row.unit) for row in _rows(connection, units, experiment)}
    if not exposed <= known:
        found.append(f"{len(exposed - known)} units were exposed and are not known")
    return found


def unit_results_of(connection: Connection, experiment: int) -> dict[tuple[int, int], tuple[int, list[UnitResult]]]:
    """Return the phase and the results of each unit, by epoch and unit."""
    return {
        (row.epoch, row.unit): (row.phase, [UnitResult(*pair) for pair in row.pairs])
        for row in _rows(connection, unit_results, experiment)
    }


def _result_problems(connection: Connection, experiment: int) -> list[str]:
    """Return the units whose results are not those of their images."""
    scored = scorings.alone(connection, [experiment])[experiment]
    of_units: dict[tuple[int, int], list[Image]] = defaultdict(list)
    for epoch, image in _images(connection, experiment):
        if scored[image.phase].paired:
            of_units[epoch, image.unit].append(image)
    as_kept = unit_results_of(connection, experiment)
    if as_kept.keys() != of_units.keys():
        return [f"{len(as_kept)} units have results, and {len(of_units)} have images"]
    return [
        f"unit {key}, arm {arm}: {result} kept"
        for key, (_, results) in as_kept.items()
        for arm, result in enumerate(results)
        if not _sound(result, [(image, pair_score(image, scored[image.phase], arm)) for image in of_units[key]])
    ]


def _sound(result: UnitResult, scores: list[tuple[Image, PairScore]]) -> bool:
    """Say whether a unit's result fits its images: their sums, and one of its cases of the highest rank."""
    sums = tuple(sum(getattr(score, name) for _, score in scores) for name in ("compared", "won", "lost"))
    cases = {
        image.image: (score.won - score.lost, RANK[image.source or ""])
        for image, score in scores
        if score.won + score.lost
    }
    highest = max((rank for _, rank in cases.values()), default=NO_WEIGHT)
    case = cases.get(result.image or 0, (0, NO_WEIGHT))
    return result[:3] == sums and (result.case, result.rank) == case and result.rank == highest


def _outcome_problems(connection: Connection, experiment: int) -> list[str]:
    """Return the units whose outcome is not an image of their own of the highest source that they have."""
    best: dict[tuple[int, int], int] = {}
    by_image = {}
    for _, image in _images(connection, experiment):
        by_image[image.phase, image.image] = image
        if image.scores:
            key = image.phase, image.unit
            best[key] = max(best.get(key, -1), image.weight)
    found = []
    for row in _rows(connection, units, experiment):
        chosen = by_image.get((row.phase, row.image))
        weight = chosen.weight if chosen else -1
        if weight != best.get((row.phase, row.unit), -1):
            found.append(f"unit {row.unit} has the outcome of a label of rank {weight}")
    return found


def _images(connection: Connection, experiment: int) -> list[tuple[int, Image]]:
    return [
        (row.epoch, Image(**{name: getattr(row, name) for name in FIELDS}))
        for row in _rows(connection, images, experiment)
    ]  # fmt: skip


def _in_force(connection: Connection, experiment: int) -> Any:
    """Return the labels in force, one a prediction."""
    rows = sorted(_rows(connection, feedback, experiment), key=lambda row: RANK[row.source])
    return {row.prediction: row for row in rows}.values()


def _rows(connection: Connection, table: Any, experiment: int) -> Any:
    return connection.execute(select(table).where(table.c.experiment_id == experiment)).all()
