import pytest

from serving.gateway.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def test_calls_to_the_model_server_are_counted_by_status_and_timed(metrics: Metrics) -> None:
    metrics.model_server_call("plain", "OK", 0.003, 16)
    metrics.model_server_call("plain", "UNAVAILABLE", 2.5, 1)
    assert {
        'gateway_model_server_calls_total{status="OK",variant="plain"} 1.0',
        'gateway_model_server_calls_total{status="UNAVAILABLE",variant="plain"} 1.0',
        'gateway_model_server_seconds_bucket{le="0.005",variant="plain"} 1.0',
        'gateway_model_server_seconds_count{variant="plain"} 2.0',
        'gateway_batch_images_sum{variant="plain"} 17.0',
    } <= lines(metrics)


@pytest.mark.parametrize(("state", "value"), [("closed", 0), ("half_open", 1), ("open", 2)])
def test_the_state_of_a_circuit(metrics: Metrics, state: str, value: int) -> None:
    metrics.circuit("plain", state)
    assert f'gateway_circuit_state{{variant="plain"}} {value}.0' in lines(metrics)


def test_what_waits_and_what_was_turned_away(metrics: Metrics) -> None:
    metrics.in_flight(3)
    metrics.queued(70)
    metrics.queued(64)
    metrics.refused("in_flight")
    assert {
        "gateway_in_flight 3.0",
        "gateway_queued_images 64.0",
        'gateway_refused_total{reason="in_flight"} 1.0',
    } <= lines(metrics)
