"""Keep how the evidence of an experiment has moved: a look each time that there are a tenth more labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from serving.gateway.store.store import insert
from serving.gateway.store.tables import looks

GROWTH = 1.1  # times as many labels as at the last look: some 120 looks at 200,000 labels
SHOWN = ("variant", "diff", "cs", "e_value")  # of a comparison


def due(connection: Connection, experiment: int, labelled: int) -> bool:
    """Say whether so many labels are worth another look."""
    last = connection.execute(select(func.max(looks.c.labelled)).where(looks.c.experiment_id == experiment)).scalar()
    return labelled >= max(1, GROWTH * (last or 0))


def note(connection: Connection, experiment: int, at: float, report: Mapping[str, Any]) -> None:
    """Keep what a report says of the comparisons, unless there is a look at as many labels; `at` is in seconds."""
    row = {
        "experiment_id": experiment, "labelled": report["counts"]["labelled"], "at": at,
        "comparisons": [{key: comparison[key] for key in SHOWN} for comparison in report["comparisons"]],
    }  # fmt: skip
    connection.execute(insert(connection.dialect.name, looks).values(row).on_conflict_do_nothing())


def of(connection: Connection, experiment: int) -> Sequence[Row]:
    """Return the looks at an experiment, that at the fewest labels first."""
    return connection.execute(select(looks).where(looks.c.experiment_id == experiment).order_by(looks.c.labelled)).all()
