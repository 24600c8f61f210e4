"""Define the tables; times are seconds since 1970, arms are indices into the experiment's list."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

PREDICTION = String(40)
# `sqlite_with_rowid=False` has SQLite store rows in the order of their keys, without an index beside them.
NAME = String(64)


def _experiment(primary_key: bool = False, nullable: bool = False) -> Column[int]:
    return Column("experiment_id", ForeignKey("experiments.id"), primary_key=primary_key, nullable=nullable)


# One row. `revision` grows with every change that makes workers refresh their caches.
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("signing_key", String(64), nullable=False),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("spec", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("phase", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("stopped_at", Float),
    Column("decision", JSON(none_as_null=True)),  # with the evidence of its moment
    Column("reason", Text),
    # The first verdict: evidence that was enough once stays enough.
    Column("verdict", JSON(none_as_null=True)),
)

phases = Table(
    "phases",
    metadata,
    _experiment(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("weights", JSON, nullable=False),
    Column("traffic", Float, nullable=False),
    Column("traffic_salt", String(32), nullable=False),
    Column("arm_salt", String(32), nullable=False),
    Column("started_at", Float, nullable=False),
)

# One row a request; `served` is NULL without an answer, and differs from `assigned` after a fallback.
exposures = Table(
    "exposures",
    metadata,
    Column("id", PREDICTION, primary_key=True),
    _experiment(),
    Column("phase", Integer, nullable=False),
    Column("unit", BigInteger, nullable=False),
    Column("assigned", Integer, nullable=False),
    Column("served", Integer),
    Column("propensity", Float, nullable=False),
    Column("images", Integer, nullable=False),
    Column("milliseconds", Float, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("at", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)

units = Table(
    "units",
    metadata,
    _experiment(primary_key=True),
    Column("phase", Integer, primary_key=True),
    Column("unit", BigInteger, primary_key=True),
    Column("arm", Integer, nullable=False),
    Column("labelled", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# The answers of all arms to one image. Pixels stay while the arms disagree and there is no label.
shadows = Table(
    "shadows",
    metadata,
    Column("prediction", PREDICTION, primary_key=True),
    _experiment(),
    Column("phase", Integer, nullable=False),
    Column("answers", JSON, nullable=False),  # [label, confidence] an arm
    Column("prediction_id", Text),  # for feedback, as long as there are pixels
    Column("usefulness", Float, nullable=False),
    Column("pixels", LargeBinary),
    Column("at", Float, nullable=False, index=True),
)
QUEUED = shadows.c.pixels.is_not(None)
Index(
    "ix_shadows_queue",
    shadows.c.experiment_id,
    shadows.c.usefulness,
    sqlite_where=QUEUED,
    postgresql_where=QUEUED,
)

# The labels. `decisive` ones are evidence; `counted` ones are also the first of their unit.
feedback = Table(
    "feedback",
    metadata,
    Column("prediction", PREDICTION, primary_key=True),
    Column("label", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("predicted", Text, nullable=False),
    Column("variant", NAME, nullable=False),
    Column("version", BigInteger, nullable=False),
    _experiment(nullable=True),
    Column("phase", Integer),
    Column("arm", Integer),
    Column("unit", BigInteger),
    Column("decisive", Boolean, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# `arm` and `value` are 0 for counters without them.
counts = Table(
    "counts",
    metadata,
    _experiment(primary_key=True),
    Column("phase", Integer, primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("arm", Integer, primary_key=True),
    Column("value", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The comparisons at some numbers of labels; the table keeps its first name.
interim_results = Table(
    "looks",
    metadata,
    _experiment(primary_key=True),
    Column("labelled", BigInteger, primary_key=True),
    Column("at", Float, nullable=False),
    Column("comparisons", JSON, nullable=False),
)

# The last row is in force; a NULL variant is the manifest's default. `parent` is the row that a rollback returns to.
promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("variant", NAME),
    Column("parent", ForeignKey("promotions.id")),
    Column("action", String(16), nullable=False),
    Column("who", NAME, nullable=False),
    Column("reason", Text),
    Column("at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", NAME, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", NAME, nullable=False, index=True),
    Column("reason", Text),
)
