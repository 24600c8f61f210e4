"""Write exposures, their units and the counters of both, idempotently."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection, select

from serving.gateway.store import locks, units
from serving.gateway.store.counts import Count, Tally, add
from serving.gateway.store.evidence import Book, Scorings, Seen
from serving.gateway.store.images import ImageAnswers
from serving.gateway.store.store import insert
from serving.gateway.store.tables import experiments, exposures

BUCKETS_AN_OCTAVE = 4


CASES = ("failed", "slow", "failed_shadow", "slow_shadow")  # of guardrails; the bits that an arm has in a unit


class Asked(NamedTuple):
    """The outcome of one request to one arm.

    `shadow` requests were made in the background, for units of another arm. Of the experiment's requests in one call to
    the model server, `case` marks the first faulty one, and `new_call` the first one, faulty or not.
    """

    arm: int
    milliseconds: float
    failed: bool
    slow: bool
    shadow: bool
    case: bool
    new_call: bool


@dataclass(frozen=True, slots=True)
class Exposure:
    """A request of an experiment; `served` is the arm that answered, None without one.

    `by_another` says that a variant answered that is no arm: the default, where the arms failed.
    `asked` are the requests to arms that count. `answered` holds the answers of all arms about each image, where two
    arms or more have answered.
    """

    id: str
    experiment_id: int
    phase: int
    epoch: int
    unit: int
    assigned: int
    served: int | None
    propensity: float
    images: int
    milliseconds: float
    failed: bool
    at: float
    asked: tuple[Asked, ...] = ()
    answered: tuple[ImageAnswers, ...] = ()
    by_another: bool = False


COLUMNS = attrgetter(*(column.name for column in exposures.columns))


def lock(connection: Connection, ids: Iterable[int], predictions: Collection[str] = ()) -> dict[int, str]:
    """Lock these experiments until the transaction ends, as all that write do; return the status of each.

    Those that change an experiment itself wait. Writers lock the images and units that they change, and `predictions`
    that they label. So the later of a label and the shadow answers to the same image counts both.
    """
    chosen = sorted(set(ids))
    locks.share(connection, chosen, predictions)
    query = select(experiments.c.id, experiments.c.status).where(experiments.c.id.in_(chosen))
    return {row.id: row.status for row in connection.execute(query)}


def write(connection: Connection, given: Sequence[Exposure], scorings: Mapping[int, Scorings], secret: bytes) -> None:
    """Write exposures of locked experiments; skip those already there, and do not count them again.

    `scorings` are by experiment and phase; `secret` draws the order of the label queue.
    """
    statement = insert(connection.dialect.name, exposures).on_conflict_do_nothing().returning(exposures.c.id)
    rows = [
        dict(zip(exposures.columns.keys(), COLUMNS(exposure), strict=True))
        for exposure in sorted(given, key=attrgetter("id"))  # writers wait for each other in one order
    ]
    done = set(connection.execute(statement, rows).scalars())
    new = [exposure for exposure in given if exposure.id in done]
    by_epoch: dict[tuple[int, int], list[Exposure]] = defaultdict(list)
    for exposure in new:
        by_epoch[exposure.experiment_id, exposure.epoch].append(exposure)
    for (experiment, epoch), batch in sorted(by_epoch.items()):
        book = Book(connection, experiment, epoch, scorings.get(experiment, {}), secret)
        seen = [Seen(each.phase, each.unit, each.assigned, each.at, image) for each in batch for image in each.answered]
        images = book.claim_answered(seen)  # before units: all lock in this order
        by_phase: dict[int, list[Exposure]] = defaultdict(list)
        for exposure in batch:
            by_phase[exposure.phase].append(exposure)
        for phase, of_phase in sorted(by_phase.items()):
            add(connection, experiment, phase, _of_phase(connection, experiment, phase, of_phase))
        book.answered(seen, images)


def bucket(milliseconds: float) -> int:
    """Return the number of the histogram's bucket; a doubling spans four."""
    return ceil(BUCKETS_AN_OCTAVE * log2(max(milliseconds, 0.01)))


def upper_bound(bucket: int) -> float:
    """Return the most milliseconds in a bucket."""
    return 2 ** (bucket / BUCKETS_AN_OCTAVE)


def _of_phase(connection: Connection, experiment: int, phase: int, batch: Sequence[Exposure]) -> Tally:
    """Write the units of exposures; return the counts of these and of their requests."""
    of_units = {exposure.unit: (exposure.assigned, exposure.at) for exposure in reversed(batch)}
    tally = _requests(batch)
    tally += units.write(connection, experiment, phase, of_units)
    tally += _cases(connection, experiment, phase, batch)
    return tally


def _requests(batch: Sequence[Exposure]) -> Tally:
    tally = Tally()
    for exposure in batch:
        tally[Count("exposures", exposure.assigned)] += 1
        tally[Count("exposed_images", exposure.assigned)] += exposure.images
        if exposure.by_another or exposure.served not in (exposure.assigned, None):
            tally[Count("stand_ins", exposure.assigned)] += 1
        for asked in exposure.asked:
            tally[Count("requests", asked.arm)] += 1
            if asked.new_call:
                tally[Count("calls_shadow" if asked.shadow else "calls", asked.arm)] += 1
            if asked.failed:
                tally[Count("failures", asked.arm)] += 1
            else:
                kind = "latency_shadow" if asked.shadow else "latency"  # the former wait for each other
                tally[Count(kind, asked.arm, bucket(asked.milliseconds))] += 1
    return tally


def _cases(connection: Connection, experiment: int, phase: int, batch: Sequence[Exposure]) -> Tally:
    """Count the units that have a failed or slow request for the first time, by arm and kind of request."""
    bits: dict[int, int] = defaultdict(int)
    for exposure in batch:
        for asked in exposure.asked:
            if asked.case:
                kinds = (asked.failed << 0 | asked.slow << 1) << 2 * asked.shadow
                bits[exposure.unit] |= kinds << len(CASES) * asked.arm
    new = units.add_cases(connection, experiment, phase, {unit: kinds for unit, kinds in bits.items() if kinds})
    return Tally(
        Count(f"case_{kind}", arm)
        for kinds in new.values()
        for arm in range(kinds.bit_length() // len(CASES) + 1)
        for at, kind in enumerate(CASES)
        if kinds >> (len(CASES) * arm + at) & 1
    )
