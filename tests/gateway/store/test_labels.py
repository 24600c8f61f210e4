"""Labels of one prediction from several sources, and from several workers at once."""

from collections.abc import Collection

import pytest
from sqlalchemy import Connection, create_engine

from serving.gateway.store import counts, labels
from serving.gateway.store.counts import Count
from serving.gateway.store.labels import Fate, Label, write
from serving.gateway.store.tables import metadata


@pytest.fixture
def connection() -> Connection:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    return engine.connect()


def label(prediction: str, source: str, text: str, experiment: int | None = None) -> Label:
    exposure = (experiment, 1, 0, 0, 5, 9) if experiment else ()
    return Label(prediction, text, source, "1", "plain", 7, 0.0, *exposure)


def test_the_highest_source_is_in_force_in_one_batch_or_in_many(connection: Connection) -> None:
    given = [
        (label("p", "user", "1"), Fate.STORED),
        (label("p", "user", "1"), Fate.STORED_BEFORE),
        (label("p", "user", "2"), Fate.OTHER),
        (label("p", "ground_truth", "3"), Fate.REPLACED),
        (label("p", "audit", "4"), Fate.KEPT),
        (label("q", "audit", "4"), Fate.STORED),
        (label("q", "user", "5"), Fate.KEPT),
    ]
    together = [each.fate for each in write(connection, [label for label, _ in given])]
    connection.rollback()
    one_by_one = [write(connection, [label])[0].fate for label, _ in given]
    assert together == one_by_one == [fate for _, fate in given]
    assert [(row.source, row.label) for row in labels.of_prediction(connection, "p")] == [
        ("ground_truth", "3"), ("audit", "4"), ("user", "1"),
    ]  # fmt: skip


def test_labels_beside_one_that_another_worker_was_quicker_with_still_count(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of experiments nothing is locked: the other label appears between the look and the write."""
    write(connection, [label("outside", "audit", "2")])
    look, looked = labels._stored, list[None]()

    def too_early(connection: Connection, predictions: Collection[str]) -> labels.InForce:
        looked.append(None)
        return look(connection, predictions if len(looked) > 1 else ())

    monkeypatch.setattr(labels, "_stored", too_early)
    found = write(connection, [label("inside", "audit", "3", experiment=1), label("outside", "audit", "4")])
    assert [each.fate for each in found] == [Fate.STORED, Fate.OTHER]
    assert counts.read(connection, 1)[1] == {Count("labels_audit", 0): 1}
