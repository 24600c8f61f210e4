"""Add the breakdown of labelled images, and the kind of client that sent each."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table, and add the column."""
    op.create_table(
        "breakdown",
        sa.Column("experiment_id", sa.Integer(), sa.ForeignKey("experiments.id"), primary_key=True),
        sa.Column("phase", sa.Integer(), primary_key=True),
        sa.Column("dimension", sa.String(16), primary_key=True),
        sa.Column("value", sa.Text(), primary_key=True),
        sa.Column("arm", sa.Integer(), primary_key=True),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("won", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
    )
    op.add_column("images", sa.Column("client", sa.Integer()))


def downgrade() -> None:
    """Drop both."""
    with op.batch_alter_table("images") as images:
        images.drop_column("client")
    op.drop_table("breakdown")
