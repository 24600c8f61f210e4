"""The model server is killed, stopped or slow."""

import signal
import time

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from serving.gateway.telemetry.fresh import FRESH_SECONDS
from testing.running_gateway import Gateway
from testing.waiting import PATIENCE, eventually
from tests.gateway.faults.conftest import WORKERS, StandIn
from tests.gateway.faults.load import Load

pytestmark = pytest.mark.slow
DEADLINE = 1.0  # seconds, of the gateway
SPARE_SECONDS = 20.0  # that a busy machine may add to any answer


@pytest.fixture(scope="module")
def deadline() -> float:
    return DEADLINE


def readiness(gateway: Gateway) -> int:
    return requests.get(f"{gateway.url}/readyz", timeout=PATIENCE).status_code


def calls_in_vain(gateway: Gateway) -> float:
    """Return how many calls to the model server have ended at their deadline."""
    text = requests.get(f"{gateway.url}/metrics", timeout=PATIENCE).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(
        sample.value
        for sample in samples
        if sample.name == "gateway_model_server_calls_total" and sample.labels["status"] == "DEADLINE_EXCEEDED"
    )


def test_a_model_server_that_is_killed_and_comes_back(gateway: Gateway, model_server: StandIn, load: Load) -> None:
    model_server.kill()
    load.sees(503, 50)
    assert readiness(gateway) == 503
    assert set(load.statuses()) <= {200, 503} and load.longest() < DEADLINE + SPARE_SECONDS
    model_server.start()
    load.recovers()
    eventually(lambda: readiness(gateway) == 200, "readiness")
    load.forget()
    load.sees(200, 50)
    assert set(load.statuses()) == {200}


def test_a_model_server_that_stops_answering_and_goes_on(gateway: Gateway, model_server: StandIn, load: Load) -> None:
    model_server.signal(signal.SIGSTOP)
    load.sees(504, 1)
    load.sees(503, 50)
    assert set(load.statuses()) <= {200, 503, 504} and load.longest() < DEADLINE + SPARE_SECONDS
    assert readiness(gateway) == 503
    started, before = time.monotonic(), calls_in_vain(gateway)
    load.sees(504, load.statuses()[504] + 1)
    load.sees(503, load.statuses()[503] + 50)
    # Each worker lets one call find out at a time. A count may be as old as metrics may be.
    eventually(lambda: calls_in_vain(gateway) > before, "a call in vain")
    made = calls_in_vain(gateway) - before
    assert made <= WORKERS * (1 + (time.monotonic() - started + FRESH_SECONDS) / DEADLINE)
    model_server.signal(signal.SIGCONT)
    load.recovers()
    eventually(lambda: readiness(gateway) == 200, "readiness")
    load.forget()
    load.sees(200, 50)
    assert set(load.statuses()) == {200}


def test_a_model_server_that_is_ten_times_slower(model_server: StandIn, load: Load) -> None:
    model_server.signal(signal.SIGUSR1)
    load.sees(200, 50)
    assert set(load.statuses()) == {200}
    model_server.signal(signal.SIGUSR1)
