"""Keep the key behind each change and label, and the time at which old rows were last deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEYED = ("feedback", "promotions", "audit")


def upgrade() -> None:
    """Add the columns, and indexes by time of the labels outside experiments and of images without a label."""
    for table in KEYED:
        op.add_column(table, sa.Column("key", sa.String(16)))
    op.add_column("state", sa.Column("retained_at", sa.Float(), nullable=False, server_default="0"))
    with op.batch_alter_table("state") as state:
        state.alter_column("retained_at", server_default=None)
    outside = sa.text("experiment_id IS NULL")
    op.create_index("ix_feedback_outside", "feedback", ["at"], sqlite_where=outside, postgresql_where=outside)
    unlabelled = sa.text("label IS NULL")
    op.create_index("ix_images_unlabelled", "images", ["at"], sqlite_where=unlabelled, postgresql_where=unlabelled)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_images_unlabelled", "images")
    op.drop_index("ix_feedback_outside", "feedback")
    for table in ("state", *KEYED):
        with op.batch_alter_table(table) as changed:
            changed.drop_column("retained_at" if table == "state" else "key")
