"""Keep the course of an experiment's evidence: an interim result each time the labels have grown by a tenth."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from serving.gateway.store.experiments import epoch
from serving.gateway.store.store import insert
from serving.gateway.store.tables import interim_results as table

GROWTH = 1.1  # in labels from one to the next: some 120 interim results at 200,000 labels
SHOWN = ("variant", "diff", "cs", "e_value", "firsts")  # of a comparison


def due(connection: Connection, experiment: int, labelled: int) -> bool:
    """Say whether `labelled` labels of the present epoch are enough for another interim result."""
    now = epoch(connection, experiment)
    query = select(func.max(table.c.labelled)).where(table.c.experiment_id == experiment, table.c.epoch == now)
    last = connection.execute(query).scalar()
    return labelled >= max(1, GROWTH * (last or 0))


def keep(connection: Connection, experiment: int, at: float, report: Mapping[str, Any]) -> None:
    """Keep the comparisons of a report, once for each number of labels in an epoch; `at` is in seconds."""
    row = {
        "experiment_id": experiment, "epoch": epoch(connection, experiment), "at": at,
        "labelled": report["counts"]["labelled"],
        "comparisons": [{key: comparison[key] for key in SHOWN} for comparison in report["comparisons"]],
    }  # fmt: skip
    connection.execute(insert(connection.dialect.name, table).values(row).on_conflict_do_nothing())


def present(connection: Connection, experiment: int) -> Sequence[Row]:
    """Return the interim results of an experiment's present epoch, the fewest labels first."""
    query = select(table).where(table.c.experiment_id == experiment, table.c.epoch == epoch(connection, experiment))
    return connection.execute(query.order_by(table.c.labelled)).all()
