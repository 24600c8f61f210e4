import time

import pytest
from sqlalchemy import update

from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.lifecycle import Act
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store import events, images
from serving.gateway.store.scoring import Image
from serving.gateway.store.store import Store
from serving.gateway.store.tables import images as table
from serving.gateway.webhooks.queues import QueueWatch
from testing.traffic import PAIRED

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
HOUR = 3600


def told(store: Store) -> list[dict[str, object]]:
    with store.read() as connection:
        rows = events.latest(connection, 10)
    return [row.data for row in rows if row.type == "experiment.queue_old"]


def test_an_old_queue_is_told_once_a_day(store: Store) -> None:
    by, now = Act("test"), time.time()
    with store.write() as connection:
        for name in ("test", "ended"):
            lifecycle.create(connection, ExperimentSpec.model_validate({**PAIRED, "name": name}), by)
            lifecycle.step(connection, name, "start", by)
        lifecycle.step(connection, "ended", "stop", by)
        for experiment in (1, 2):
            waits = Image(1, 1, 1, 0, 1, now - 20 * HOUR, (("1", 0.9), ("2", 0.9)), prediction_id="p", pixels=b"pixels")
            images.save(connection, experiment, 1, {1: waits, 2: Image(2, 1, 2, 0, 2, now - 50 * HOUR)}, {})
    QueueWatch(store, 21).look(now)
    assert told(store) == []
    under_test = QueueWatch(store, 20)
    under_test.look(now)
    assert told(store) == [{"experiment": "test", "waiting": 1, "oldest_hours": 20.0}]
    under_test.look(now + 30)
    QueueWatch(store, 20).look(now)  # another worker
    assert len(told(store)) == 1
    under_test.look(now + 24 * HOUR)
    assert [each["oldest_hours"] for each in told(store)] == [44.0, 20.0]
    with store.write() as connection:
        connection.execute(update(table).values(label="1", source="audit", pixels=None))
    under_test.look(now + 48 * HOUR)
    assert len(told(store)) == 2
