"""Experiments, exposures, labels, counts, promotions and the audit log."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, the one row of state, and the key that signs predictions' ids."""
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("signing_key", sa.String(64), nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "revision": 0, "signing_key": secrets.token_hex(32)}])
    _experiments()
    _traffic()
    _labels()
    _decisions()


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "audit", "promotions", "counts", "feedback", "shadows", "units", "exposures", "phases", "experiments", "state",
    ):  # fmt: skip
        op.drop_table(table)


def _experiment(primary_key: bool = False, nullable: bool = False) -> sa.Column:
    reference = sa.ForeignKey("experiments.id")
    return sa.Column("experiment_id", sa.Integer(), reference, primary_key=primary_key, nullable=nullable)


def _experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("stopped_at", sa.Float()),
        sa.Column("decision", sa.JSON()),
        sa.Column("reason", sa.Text()),
        sa.Column("verdict", sa.JSON()),
    )
    op.create_table(
        "phases",
        _experiment(primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("weights", sa.JSON(), nullable=False),
        sa.Column("traffic", sa.Float(), nullable=False),
        sa.Column("traffic_salt", sa.String(32), nullable=False),
        sa.Column("arm_salt", sa.String(32), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
    )


def _traffic() -> None:
    op.create_table(
        "exposures",
        sa.Column("id", sa.String(40), primary_key=True),
        _experiment(),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("served", sa.Integer()),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("milliseconds", sa.Float(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "units",
        _experiment(primary_key=True),
        sa.Column("phase", sa.Integer(), primary_key=True),
        sa.Column("unit", sa.BigInteger(), primary_key=True),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("labelled", sa.Boolean(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shadows",
        sa.Column("prediction", sa.String(40), primary_key=True),
        _experiment(),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("prediction_id", sa.Text()),
        sa.Column("usefulness", sa.Float(), nullable=False),
        sa.Column("pixels", sa.LargeBinary()),
        sa.Column("at", sa.Float(), nullable=False, index=True),
    )
    queued = sa.text("pixels IS NOT NULL")
    op.create_index(
        "ix_shadows_queue", "shadows", ["experiment_id", "usefulness"], sqlite_where=queued, postgresql_where=queued
    )


def _labels() -> None:
    op.create_table(
        "feedback",
        sa.Column("prediction", sa.String(40), primary_key=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("predicted", sa.Text(), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _experiment(nullable=True),
        sa.Column("phase", sa.Integer()),
        sa.Column("arm", sa.Integer()),
        sa.Column("unit", sa.BigInteger()),
        sa.Column("decisive", sa.Boolean(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counts",
        _experiment(primary_key=True),
        sa.Column("phase", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("arm", sa.Integer(), primary_key=True),
        sa.Column("value", sa.Integer(), primary_key=True),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _decisions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("variant", sa.String(64)),
        sa.Column("parent", sa.Integer(), sa.ForeignKey("promotions.id")),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("at", sa.Float(), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("reason", sa.Text()),
    )
