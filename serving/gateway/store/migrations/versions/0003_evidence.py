"""Count evidence by images and units, keep a label for each source, and tell versions of arms apart.

Experiments that are under way go on with a new phase and a new epoch: the label queue of earlier versions was ordered
by confidence, so labels from it are no evidence.
"""

import logging
import secrets
import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

logger = logging.getLogger("serving.gateway.store")
GONE = ("compared", "disagreements", "labelled_disagreements", "mask", "slow")  # counters that have new names
REASON = "The label queue had no random order before this upgrade, so evidence starts anew."


def upgrade() -> None:
    """Make the new tables from the old ones, and convert the counters."""
    op.add_column("phases", sa.Column("epoch", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("phases", sa.Column("versions", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("phases") as phases:
        phases.alter_column("epoch", server_default=None)
        phases.alter_column("versions", server_default=None)
    _units()
    _images()
    _feedback()
    _interim_results()
    connection = op.get_bind()
    metadata = sa.MetaData()
    metadata.reflect(connection, only=("experiments", "phases", "counts", "audit", "state"))
    tables = metadata.tables
    for row in connection.execute(sa.select(tables["experiments"])).all():
        spec = row.spec
        connection.execute(
            sa.update(tables["phases"])
            .where(tables["phases"].c.experiment_id == row.id)
            .values(versions=[None] * len(spec["arms"]))
        )
        _convert(connection, tables["counts"], row.id, spec)
        if row.status in ("running", "paused"):
            _new_phase(connection, tables, row, spec)
    connection.execute(sa.update(tables["state"]).values(revision=tables["state"].c.revision + 1))


def downgrade() -> None:
    """Refuse: the counters of the old form cannot be made from those of the new one."""
    raise NotImplementedError("Revision 0003 has no way back; restore the database's backup.")


def _experiment(primary_key: bool = False, nullable: bool = False) -> sa.Column:
    reference = sa.ForeignKey("experiments.id")
    return sa.Column("experiment_id", sa.Integer(), reference, primary_key=primary_key, nullable=nullable)


def _units() -> None:
    op.rename_table("units", "units_before")
    op.create_table(
        "units",
        _experiment(primary_key=True),
        sa.Column("phase", sa.Integer(), primary_key=True),
        sa.Column("unit", sa.BigInteger(), primary_key=True),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("image", sa.BigInteger()),
        sa.Column("cases", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    columns = "experiment_id, phase, unit, arm"
    op.execute(f"INSERT INTO units ({columns}, cases) SELECT {columns}, 0 FROM units_before")
    op.drop_table("units_before")
    op.create_table(
        "unit_results",
        _experiment(primary_key=True),
        sa.Column("epoch", sa.Integer(), primary_key=True),
        sa.Column("unit", sa.BigInteger(), primary_key=True),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("pairs", sa.JSON(), nullable=False),
        sqlite_with_rowid=False,
    )


def _images() -> None:
    op.drop_table("shadows")  # its images have no hash, and its queue no random order
    op.create_table(
        "images",
        _experiment(primary_key=True),
        sa.Column("epoch", sa.Integer(), primary_key=True),
        sa.Column("image", sa.BigInteger(), primary_key=True),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON()),
        sa.Column("label", sa.Text()),
        sa.Column("source", sa.String(16)),
        sa.Column("served", sa.Integer()),
        sa.Column("predicted", sa.Text()),
        sa.Column("draw", sa.BigInteger(), nullable=False),
        sa.Column("prediction_id", sa.Text()),
        sa.Column("pixels", sa.LargeBinary()),
        sa.Column("at", sa.Float(), nullable=False),
    )
    queued = sa.text("pixels IS NOT NULL")
    op.create_index(
        "ix_images_queue", "images", ["experiment_id", "draw"], sqlite_where=queued, postgresql_where=queued
    )  # fmt: skip
    op.create_index(
        "ix_images_waiting", "images", ["experiment_id", "at"], sqlite_where=queued, postgresql_where=queued
    )  # fmt: skip
    labelled = sa.text("label IS NOT NULL")
    op.create_index(
        "ix_images_labelled", "images", ["experiment_id", "unit"], sqlite_where=labelled, postgresql_where=labelled
    )  # fmt: skip


def _feedback() -> None:
    op.rename_table("feedback", "feedback_before")
    op.create_table(
        "feedback",
        sa.Column("prediction", sa.String(40), primary_key=True),
        sa.Column("source", sa.String(16), primary_key=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("predicted", sa.Text(), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _experiment(nullable=True),
        sa.Column("phase", sa.Integer()),
        sa.Column("arm", sa.Integer()),
        sa.Column("served", sa.Integer()),
        sa.Column("unit", sa.BigInteger()),
        sa.Column("image", sa.BigInteger()),
        sa.Column("at", sa.Float(), nullable=False),
        sqlite_with_rowid=False,
    )
    columns = "prediction, source, label, predicted, variant, version, experiment_id, phase, arm, unit, at"
    op.execute(f"INSERT INTO feedback ({columns}) SELECT {columns} FROM feedback_before")
    op.drop_table("feedback_before")


def _interim_results() -> None:
    op.rename_table("looks", "looks_before")
    op.create_table(
        "looks",
        _experiment(primary_key=True),
        sa.Column("epoch", sa.Integer(), primary_key=True),
        sa.Column("labelled", sa.BigInteger(), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("comparisons", sa.JSON(), nullable=False),
    )
    columns = "experiment_id, labelled, at, comparisons"
    op.execute(f"INSERT INTO looks ({columns}, epoch) SELECT {columns}, 1 FROM looks_before")
    op.drop_table("looks_before")


def _convert(connection: sa.Connection, counts: sa.Table, experiment: int, spec: Any) -> None:
    """Write the counters of finished phases in their new form; each image was a unit of its own."""
    of_experiment = counts.c.experiment_id == experiment
    old: dict[int, dict[tuple[str, int, int], int]] = {}
    for row in connection.execute(sa.select(counts).where(of_experiment)).all():
        old.setdefault(row.phase, {})[row.name, row.arm, row.value] = row.n
    connection.execute(sa.delete(counts).where(of_experiment, counts.c.name.in_(GONE)))
    control = [arm["variant"] for arm in spec["arms"]].index(spec["control"])
    for phase, tally in old.items():
        new = _paired(tally, len(spec["arms"]), control) if spec["paired"] else _unpaired(tally)
        new |= {("case_failed", arm, 0): n for (name, arm, _), n in tally.items() if name == "failures"}
        new |= {("case_slow", arm, 0): n for (name, arm, _), n in tally.items() if name == "slow"}
        rows = [
            {"experiment_id": experiment, "phase": phase, "name": name, "arm": arm, "value": value, "n": n}
            for (name, arm, value), n in new.items()
            if n
        ]
        if rows:
            connection.execute(sa.insert(counts), rows)


def _unpaired(tally: dict[tuple[str, int, int], int]) -> dict[tuple[str, int, int], int]:
    return {("labels", 0, 0): sum(n for (name, _, _), n in tally.items() if name == "labelled")}


def _paired(
    tally: dict[tuple[str, int, int], int], arms: int, control: int
) -> dict[tuple[str, int, int], int]:  # fmt: skip
    masks = {value: n for (name, _, value), n in tally.items() if name == "mask"}
    alone = {name: tally.get((name, 0, 0), 0) for name in ("compared", "disagreements", "labelled_disagreements")}
    new = {(name, 0, 0): n for name, n in alone.items()}
    new["labels", 0, 0] = sum(masks.values())
    new |= {("first", (1 << arms) - 1, mask): n for mask, n in masks.items()}
    for arm in range(arms):
        if arm == control:
            continue
        won = sum(n for mask, n in masks.items() if mask >> arm & 1 and not mask >> control & 1)
        lost = sum(n for mask, n in masks.items() if mask >> control & 1 and not mask >> arm & 1)
        for name in ("pair_units", "pair_images", "sizes"):
            new[name, arm, 0] = alone["compared"]
        new |= {("pair_disagreements", arm, 0): alone["disagreements"], ("won", arm, 0): won, ("lost", arm, 0): lost}
        new |= {("pair_labelled", arm, 0): alone["labelled_disagreements"], ("squares", arm, 0): won + lost}
        new |= {("products", arm, 0): won - lost, ("net", arm, 1): won, ("net", arm, -1): lost}
        new |= {("first_won", arm, 0): won, ("first_lost", arm, 0): lost}
    return new


def _new_phase(connection: sa.Connection, tables: Any, row: sa.Row, spec: Any) -> None:
    """Open a phase of the same weights in a new epoch, and withdraw a verdict on the old one."""
    phases, experiments = tables["phases"], tables["experiments"]
    of_experiment = sa.select(phases).where(phases.c.experiment_id == row.id)
    last = connection.execute(of_experiment.order_by(phases.c.number.desc()).limit(1)).one()
    number = last.number + 1
    salts = {name: secrets.token_hex(16) for name in ("traffic_salt", "arm_salt")}
    connection.execute(
        sa.insert(phases).values(
            experiment_id=row.id, number=number, weights=last.weights, traffic=last.traffic, started_at=time.time(),
            epoch=number, versions=[None] * len(spec["arms"]), **salts,
        )
    )  # fmt: skip
    connection.execute(sa.update(experiments).where(experiments.c.id == row.id).values(phase=number, verdict=sa.null()))
    connection.execute(
        sa.insert(tables["audit"]).values(
            at=time.time(), who="gateway", action="upgrade", subject=row.name, reason=REASON
        )
    )  # fmt: skip
    logger.warning("experiment %s goes on with phase %d: %s", row.name, number, REASON)
