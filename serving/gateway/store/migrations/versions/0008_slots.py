"""Let transactions that count at the same time do so in different slots."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
COUNTS = "experiment_id, phase, name, arm, value"
BREAKDOWN = "experiment_id, phase, dimension, value, arm"


def upgrade() -> None:
    """Add the slot to the keys; present counts are in slot 0."""
    _replace("counts", COUNTS, "n", slot=True)
    _replace("breakdown", BREAKDOWN, "n, won, lost", slot=True)


def downgrade() -> None:
    """Sum up the slots."""
    _replace("counts", COUNTS, "n", slot=False)
    _replace("breakdown", BREAKDOWN, "n, won, lost", slot=False)


def _replace(table: str, key: str, measures: str, *, slot: bool) -> None:
    """Make a table of counts anew, since SQLite cannot change a primary key."""
    before = f"{table}_before"
    op.rename_table(table, before)
    if op.get_bind().dialect.name == "postgresql":  # names of constraints do not follow the table's
        op.execute(f"ALTER TABLE {before} DROP CONSTRAINT {table}_pkey")
    types: dict[str, Any] = {"name": sa.String(32), "dimension": sa.String(16)} | (
        {"value": sa.Text()} if table == "breakdown" else {}
    )
    columns: list[sa.Column[Any]] = [
        sa.Column("experiment_id", sa.Integer(), sa.ForeignKey("experiments.id"), primary_key=True)
    ]
    columns += [sa.Column(name, types.get(name, sa.Integer()), primary_key=True) for name in key.split(", ")[1:]]
    columns += [sa.Column("slot", sa.Integer(), primary_key=True)] if slot else []
    columns += [sa.Column(name, sa.BigInteger(), nullable=False) for name in measures.split(", ")]
    op.create_table(table, *columns, **({"sqlite_with_rowid": False} if table == "counts" else {}))
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in measures.split(", "))
    into, chosen = (f"{key}, slot", f"{key}, 0") if slot else (key, key)
    op.execute(f"INSERT INTO {table} ({into}, {measures}) SELECT {chosen}, {sums} FROM {before} GROUP BY {key}")
    op.drop_table(before)
