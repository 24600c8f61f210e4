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
KEY_ID = String(16)  # of the key or token that allowed a change or sent a label; null without one


def _experiment(primary_key: bool = False, nullable: bool = False) -> Column[int]:
    return Column("experiment_id", ForeignKey("experiments.id"), primary_key=primary_key, nullable=nullable)


# One row. `revision` grows with every change that makes workers refresh their caches.
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("signing_key", String(64), nullable=False),
    Column("retained_at", Float, nullable=False),  # the last turn to delete old rows; ahead until the first is due
    # The worker that delivers webhooks, and until when no other does.
    Column("lease_holder", String(16)),
    Column("lease_until", Float, nullable=False),
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
    Column("follows", Integer),  # the experiment whose promotion this hold-back watches
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
    # The first phase in which the arms had these versions: evidence on other versions does not count.
    Column("epoch", Integer, nullable=False),
    Column("versions", JSON, nullable=False),  # by arm; null until known
    # In a layer: its salt, and the parts of it that are the experiment's, as pairs of start and end.
    Column("layer_salt", String(32)),
    Column("segments", JSON(none_as_null=True)),
)

layers = Table(
    "layers",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("salt", String(32), nullable=False),
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
    Column("image", BigInteger),  # whose label is the unit's outcome
    Column("cases", BigInteger, nullable=False),  # bits of the guardrails' cases that the unit has had
    sqlite_with_rowid=False,
)

# Paired experiments: a unit's results by arm beside control, as a UnitResult. `phase` is the unit's first one.
unit_results = Table(
    "unit_results",
    metadata,
    _experiment(primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("unit", BigInteger, primary_key=True),
    Column("phase", Integer, nullable=False),
    Column("pairs", JSON, nullable=False),
    sqlite_with_rowid=False,
)

# An image counts once an experiment and epoch, by the keyed hash of its pixels. Pixels stay while it waits for a label.
images = Table(
    "images",
    metadata,
    _experiment(primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("image", BigInteger, primary_key=True),
    Column("phase", Integer, nullable=False),
    Column("unit", BigInteger, nullable=False),
    Column("assigned", Integer, nullable=False),
    Column("answers", JSON(none_as_null=True)),  # [label, confidence] by arm; null for an arm without an answer
    Column("label", Text),  # the first one of the highest source, which `served` was shown
    Column("source", String(16)),
    Column("served", Integer),
    Column("predicted", Text),
    Column("draw", BigInteger, nullable=False),  # the random order of the queue
    Column("prediction_id", Text),  # for feedback, as long as there are pixels
    Column("pixels", LargeBinary),
    Column("at", Float, nullable=False),
    Column("client", Integer),  # an index of clients.KINDS, set with the label
)
QUEUED = images.c.pixels.is_not(None)
LABELLED = images.c.label.is_not(None)
Index("ix_images_queue", images.c.experiment_id, images.c.draw, sqlite_where=QUEUED, postgresql_where=QUEUED)
Index("ix_images_waiting", images.c.experiment_id, images.c.at, sqlite_where=QUEUED, postgresql_where=QUEUED)
Index("ix_images_unlabelled", images.c.at, sqlite_where=~LABELLED, postgresql_where=~LABELLED)  # for retention
Index("ix_images_labelled", images.c.experiment_id, images.c.unit, sqlite_where=LABELLED, postgresql_where=LABELLED)

# One label a prediction and source; the highest source is in force. Fields from `experiment_id` on are of exposures.
feedback = Table(
    "feedback",
    metadata,
    Column("prediction", PREDICTION, primary_key=True),
    Column("source", String(16), primary_key=True),
    Column("label", Text, nullable=False),
    Column("predicted", Text, nullable=False),
    Column("variant", NAME, nullable=False),
    Column("version", BigInteger, nullable=False),
    _experiment(nullable=True),
    Column("phase", Integer),
    Column("arm", Integer),
    Column("served", Integer),
    Column("unit", BigInteger),
    Column("image", BigInteger),
    Column("at", Float, nullable=False),
    Column("key", KEY_ID),
    sqlite_with_rowid=False,
)
OUTSIDE = feedback.c.experiment_id.is_(None)
Index("ix_feedback_outside", feedback.c.at, sqlite_where=OUTSIDE, postgresql_where=OUTSIDE)

# Images to learn from; their labels are in `feedback`. Those with a `draw` wait for one, and the largest go first.
kept_images = Table(
    "kept_images",
    metadata,
    Column("prediction", PREDICTION, primary_key=True),
    Column("unit", BigInteger, nullable=False, index=True),  # a keyed hash, the same in all experiments
    Column("image", BigInteger, nullable=False),  # the keyed hash of the pixels
    Column("predicted", Text, nullable=False),
    Column("variant", NAME, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("draw", BigInteger),
    Column("pixels", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
)
WAITING = kept_images.c.draw.is_not(None)
Index("ix_kept_images_draw", kept_images.c.draw, sqlite_where=WAITING, postgresql_where=WAITING)
Index("ix_kept_images_waiting", kept_images.c.at, sqlite_where=WAITING, postgresql_where=WAITING)
Index("ix_kept_images_labelled", kept_images.c.at, sqlite_where=~WAITING, postgresql_where=~WAITING)

# The keyed hashes of the images that candidates learned from: they are no evidence for them.
taught_images = Table("taught_images", metadata, Column("image", BigInteger, primary_key=True, autoincrement=False))

# `arm` and `value` are 0 for counters without them. A counter is the sum of its slots: transactions at the same time
# count in different ones.
counts = Table(
    "counts",
    metadata,
    _experiment(primary_key=True),
    Column("phase", Integer, primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("arm", Integer, primary_key=True),
    Column("value", Integer, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Labelled images, or unpaired units, by a property and an arm: their number, those that the arm alone has right, and
# those that control alone has right; unpaired, those that are right, and wrong. Slots as for counters.
breakdown = Table(
    "breakdown",
    metadata,
    _experiment(primary_key=True),
    Column("phase", Integer, primary_key=True),
    Column("dimension", String(16), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("arm", Integer, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("won", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
)

# The comparisons at some numbers of labels; the table keeps its first name.
interim_results = Table(
    "looks",
    metadata,
    _experiment(primary_key=True),
    Column("epoch", Integer, primary_key=True),
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
    Column("key", KEY_ID),
    Column("reason", Text),
    Column("at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", NAME, nullable=False),
    Column("key", KEY_ID),
    Column("action", String(32), nullable=False),
    Column("subject", NAME, nullable=False, index=True),
    Column("reason", Text),
)

# Messages for the receiver of webhooks. Those of a stream, an experiment as a rule, are delivered in the order of `id`.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message", String(40), nullable=False, unique=True),
    Column("once", String(64), unique=True),  # the same for events that are told but once
    Column("type", String(40), nullable=False),
    Column("stream", NAME, nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("state", String(16), nullable=False),  # waiting, delivered or given_up
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False),  # of the next attempt
    Column("error", Text),  # of the last attempt
    Column("ended_at", Float),
    sqlite_autoincrement=True,  # no number comes twice, though old rows are deleted
)
WAITS = events.c.state == "waiting"
Index("ix_events_waiting", events.c.stream, events.c.id, sqlite_where=WAITS, postgresql_where=WAITS)
