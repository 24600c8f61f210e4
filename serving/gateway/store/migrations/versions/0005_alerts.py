"""Keep events for the receiver of webhooks and their sender, hold-backs after promotions, and layers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table and the columns."""
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("message", sa.String(40), nullable=False, unique=True),
        sa.Column("once", sa.String(64), unique=True),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("stream", sa.String(64), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("ended_at", sa.Float()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_at", "events", ["at"])
    waits = sa.text("state = 'waiting'")
    op.create_index("ix_events_waiting", "events", ["stream", "id"], sqlite_where=waits, postgresql_where=waits)
    op.add_column("state", sa.Column("lease_holder", sa.String(16)))
    op.add_column("state", sa.Column("lease_until", sa.Float(), nullable=False, server_default="0"))
    op.create_table(
        "layers",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("salt", sa.String(32), nullable=False),
    )
    op.add_column("phases", sa.Column("layer_salt", sa.String(32)))
    op.add_column("phases", sa.Column("segments", sa.JSON()))
    op.add_column("experiments", sa.Column("follows", sa.Integer()))
    with op.batch_alter_table("state") as state:
        state.alter_column("lease_until", server_default=None)


def downgrade() -> None:
    """Drop them."""
    op.drop_column("experiments", "follows")
    op.drop_column("phases", "segments")
    op.drop_column("phases", "layer_salt")
    op.drop_table("layers")
    with op.batch_alter_table("state") as state:
        state.drop_column("lease_until")
        state.drop_column("lease_holder")
    op.drop_table("events")
