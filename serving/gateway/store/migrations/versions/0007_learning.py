"""Keep images to learn from."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the images, with indexes for their bounds and for deletion by unit, and the hashes of those that taught."""
    op.create_table(
        "kept_images",
        sa.Column("prediction", sa.String(40), primary_key=True),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("image", sa.BigInteger(), nullable=False),
        sa.Column("predicted", sa.Text(), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("draw", sa.BigInteger()),
        sa.Column("pixels", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
    )
    op.create_index("ix_kept_images_unit", "kept_images", ["unit"])
    waiting, labelled = sa.text("draw IS NOT NULL"), sa.text("draw IS NULL")
    for name, column, where in (("draw", "draw", waiting), ("waiting", "at", waiting), ("labelled", "at", labelled)):
        op.create_index(
            f"ix_kept_images_{name}", "kept_images", [column], sqlite_where=where, postgresql_where=where
        )  # fmt: skip
    op.create_table("taught_images", sa.Column("image", sa.BigInteger(), primary_key=True, autoincrement=False))


def downgrade() -> None:
    """Drop both."""
    op.drop_table("taught_images")
    op.drop_table("kept_images")
