"""Count labelled images by properties of theirs, in the transaction that labels them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, cast, func, select

from serving.gateway.store import locks
from serving.gateway.store.clients import KINDS
from serving.gateway.store.scoring import LEVELS, Image, PairScore, Scoring
from serving.gateway.store.store import insert
from serving.gateway.store.tables import breakdown as table

TRUTH, PREDICTED, CONFIDENCE, SOURCE, CLIENT = DIMENSIONS = ("truth", "predicted", "confidence", "source", "client")
MEASURES = ("n", "won", "lost")
LONGEST = 64  # characters of a value


class Cell(NamedTuple):
    """Images with one value in one dimension, for one arm; and one of MEASURES."""

    dimension: str
    value: str
    arm: int
    measure: str


Cells = Counter[Cell]


def of_image(image: Image | None, scores: Sequence[PairScore], scoring: Scoring) -> Cells:
    """Return the cells of an image of a paired experiment, for each arm beside control."""
    cells = Cells()
    if image is None or image.answers is None or not image.scores:
        return cells
    control = image.answers[scoring.control]
    for arm, score in enumerate(scores):
        ours = image.answers[arm]
        if score.labelled and control is not None and ours is not None:
            band = _band(min(float(ours[1]), float(control[1])))
            # By the answer of one arm alone, equal arms would differ: choosing it chooses its errors.
            pair = "/".join(sorted((str(control[0]), str(ours[0])))) if ours[0] != control[0] else None
            _count(cells, image, arm, pair, score.won, score.lost, band)
    return cells


def of_outcome(image: Image | None) -> Cells:
    """Return the cells of a unit of an unpaired experiment, whose outcome is this image's."""
    cells = Cells()
    if image is not None and image.scores:
        right = image.label == image.predicted
        _count(cells, image, image.assigned, image.predicted, int(right), int(not right))
    return cells


def add(connection: Connection, experiment: int, phase: int, cells: Mapping[Cell, int]) -> None:
    """Add to the counts of one phase, in this transaction's slot."""
    of = {"experiment_id": experiment, "phase": phase, "slot": locks.slot(connection)}
    rows: dict[tuple[str, str, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(MEASURES, 0))
    for cell, n in cells.items():
        rows[cell[:3]][cell.measure] += n
    values = [
        {**of, "dimension": dimension, "value": value, "arm": arm, **measures}
        for (dimension, value, arm), measures in sorted(rows.items())
        if any(measures.values())
    ]
    if values:
        connection.execute(_sum_up(connection.dialect.name), values)


def read(
    connection: Connection, experiment: int, phases: Collection[int]
) -> Iterator[tuple[int, str, str, int, int, int, int]]:
    """Give phase, dimension, value, arm, n, won and lost in these phases.

    A breakdown begins at the upgrade to it. An older label that is replaced takes away what it never added, so sums may
    fall below their parts, and below 0.
    """
    key = table.c.dimension, table.c.value, table.c.arm, table.c.phase
    totals = [cast(func.sum(table.c[name]), BigInteger).label(name) for name in MEASURES]  # of all slots
    query = select(*key, *totals).where(table.c.experiment_id == experiment, table.c.phase.in_(phases))
    for row in connection.execute(query.group_by(*key).order_by(*key)):
        won, lost = max(0, row.won), max(0, row.lost)
        if n := max(0, row.n, won + lost):
            yield row.phase, row.dimension, row.value, row.arm, n, won, lost


def _count(
    cells: Cells, image: Image, arm: int, predicted: str | None, won: int, lost: int, band: str | None = None
) -> None:
    values = {
        TRUTH: image.label, PREDICTED: predicted, CONFIDENCE: band, SOURCE: image.source,
        CLIENT: None if image.client is None else KINDS[image.client],
    }  # fmt: skip
    for dimension, value in values.items():
        if value is not None:
            for measure, n in zip(MEASURES, (1, won, lost), strict=True):
                cells[Cell(dimension, value[:LONGEST], arm, measure)] += n


def _band(confidence: float) -> str:
    """Return the band of the less sure answer, in words."""
    bounds = (0.0, *LEVELS, 1.0)
    at = sum(confidence >= level for level in LEVELS)
    return f"{bounds[at]:g} to {bounds[at + 1]:g}"


@cache
def _sum_up(dialect: str) -> Any:
    statement = insert(dialect, table)
    added = {name: table.c[name] + statement.excluded[name] for name in MEASURES}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=added)
