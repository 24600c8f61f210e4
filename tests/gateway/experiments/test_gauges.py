import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, generate_latest

from serving.gateway.experiments.gauges import ExperimentGauges
from serving.gateway.store.store import Store
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, act, label_all, predict, report, start
from testing.waiting import eventually


def shown(store: Store, *names: str) -> list[str]:
    """Return the lines of these metrics."""
    registry = CollectorRegistry()
    registry.register(ExperimentGauges(store, delivers=True))
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if line.startswith(tuple(f"gateway_{name}" for name in names))]


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_running_experiment_is_shown(client: FlaskClient, fake_server: FakeModelServer, store: Store) -> None:
    fake_server.answer = shifted(fake_server.answer, {"dropout"})
    start(client, PAIRED)
    asked = [predict(client, 3)["predictions"][0] for _ in range(3)]
    eventually(lambda: report(client)["counts"]["disagreements"] == 3)
    label_all(client, asked[:1], "3")
    lines = shown(store, "experiment_", "events_waiting", "store_up", "kept_images")
    assert {
        'gateway_experiment_labels_waiting{experiment="test"} 2.0',
        'gateway_experiment_labelled{experiment="test"} 1.0',
        'gateway_experiment_e_threshold{experiment="test",variant="dropout"} 20.0',
        'gateway_experiment_healthy{check="srm",experiment="test"} 1.0',
        'gateway_experiment_decision{experiment="test",recommendation="continue",variant=""} 1.0',
        "gateway_events_waiting 0.0",
        "gateway_store_up 1.0",
        'gateway_kept_images{state="waiting"} 0.0',
    } <= set(lines)
    assert lines[1] in client.get("/metrics").text.splitlines()
    (evidence,) = shown(store, "experiment_e_value")
    assert evidence.startswith('gateway_experiment_e_value{experiment="test",variant="dropout"} 1.')
    (age,) = shown(store, "experiment_oldest_unlabelled_seconds")
    assert 0 < float(age.split()[-1]) < 120
    act(client, "test", "stop")
    assert shown(store, "experiment_") == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_without_a_receiver_no_events_wait_for_one(store: Store) -> None:
    names = {each.name for each in ExperimentGauges(store, delivers=False).collect()}
    assert "gateway_experiment_labelled" in names
    assert not any("event" in name for name in names)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_readings_in_a_row_build_one_report(store: Store) -> None:
    gauges = ExperimentGauges(store, delivers=False)
    assert list(gauges.collect())[0] is list(gauges.collect())[0]


def test_without_a_store_its_metrics_are_gone_but_one() -> None:
    assert shown(Store("sqlite:////nowhere/x.db"), "") == ["gateway_store_up 0.0"]
