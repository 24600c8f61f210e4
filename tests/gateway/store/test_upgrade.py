"""A store of version 0.1 or 0.2 goes on with its experiments: new phases, old labels and figures kept."""

import json
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from serving.gateway.experiments.evidence import report
from serving.gateway.store import experiments
from serving.gateway.store.engine import WRITES, connect
from serving.gateway.store.schema import MIGRATIONS
from serving.gateway.store.store import Store

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

ARMS = [{"variant": "plain", "weight": 0.5}, {"variant": "dropout", "weight": 0.5}]
VERDICT = {"recommendation": "ship", "variant": "dropout", "reasons": ["It errs less."], "at": "", "labelled": 90}
COUNTS = [
    ("compared", 0, 9000), ("disagreements", 0, 90), ("labelled_disagreements", 0, 90), ("mask", 3, 8910),
    ("mask", 1, 30), ("mask", 2, 60), ("labels_audit", 0, 9000),
]  # fmt: skip


@pytest.fixture
def old_url(bare_database_url: str) -> Iterator[str]:
    """A database of revision 0002 with one running and one stopped paired experiment."""
    engine = connect(bare_database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for number, (name, status) in enumerate((("goes_on", "running"), ("is_over", "stopped")), 1):
            spec = json.dumps({"name": name, "control": "plain", "arms": ARMS, "paired": True, "on_decision": "notify"})
            connection.execute(
                text(
                    "INSERT INTO experiments (id, name, spec, status, phase, created_at, verdict) "
                    "VALUES (:id, :name, :spec, :status, 1, 0, :verdict)"
                ),
                {"id": number, "name": name, "spec": spec, "status": status, "verdict": json.dumps(VERDICT)},
            )
            connection.execute(
                text(
                    "INSERT INTO phases (experiment_id, number, weights, traffic, traffic_salt, arm_salt, started_at) "
                    "VALUES (:id, 1, '[0.5, 0.5]', 1, 'a', 'b', 0)"
                ),
                {"id": number},
            )
            for counter, value, n in COUNTS:
                connection.execute(
                    text(
                        "INSERT INTO counts (experiment_id, phase, name, arm, value, n) "
                        "VALUES (:id, 1, :name, 0, :value, :n)"
                    ),
                    {"id": number, "name": counter, "value": value, "n": n},
                )
        connection.execute(
            text(
                "INSERT INTO feedback (prediction, label, source, predicted, variant, version, experiment_id, phase, "
                "arm, unit, decisive, counted, at) VALUES ('a.0', '7', 'user', '1', 'plain', 1, 1, 1, 0, 5, true, "
                "true, 3)"
            )
        )
        connection.execute(
            text("INSERT INTO units (experiment_id, phase, unit, arm, labelled) VALUES (1, 1, 5, 0, true)")
        )
    engine.dispose()
    yield bare_database_url


def test_running_experiments_begin_a_new_phase_and_finished_ones_keep_their_figures(old_url: str) -> None:
    store = Store(old_url)
    with store.read() as connection:
        goes_on, is_over = (experiments.find(connection, name) for name in ("goes_on", "is_over"))
        assert goes_on is not None and is_over is not None
        assert (goes_on.phase, goes_on.verdict) == (2, None)
        assert [(row.number, row.epoch) for row in experiments.phases_of(connection, goes_on.id)] == [(1, 1), (2, 2)]
        (entry,) = experiments.logged(connection, "goes_on")
        assert entry.reason.startswith("The label queue had no random order")
        found = report(connection, goes_on)
        assert (found["counts"]["labelled"], found["decision"]["recommendation"]) == (0, "continue")
        assert found["notes"][-1].startswith("Phases 1 to 1 are left out")
        found = report(connection, is_over)
        assert found["verdict"] == VERDICT
        (comparison,) = found["comparisons"]
        assert (comparison["only_variant_right"], comparison["only_control_right"]) == (60, 30)
        assert (round(comparison["e_value"], 1), comparison["n"]) == (31.3, 9000)
        (label,) = connection.execute(text("SELECT source, label, served FROM feedback")).all()
        assert tuple(label) == ("user", "7", None)
    store.close()
