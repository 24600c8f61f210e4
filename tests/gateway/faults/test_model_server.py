"""The model server is killed, stopped or slow."""

import signal

import pytest
import requests

from tests.gateway.faults.conftest import DEADLINE, StandIn
from tests.gateway.faults.load import Load, eventually
from tests.gateway.gunicorn import Gateway

pytestmark = pytest.mark.slow
RETURN_SECONDS = 2.0  # after which the gateway has to answer again
SPARE_SECONDS = 3.0  # that a busy machine may add to any answer


def readiness(gateway: Gateway) -> int:
    return requests.get(f"{gateway.url}/readyz", timeout=20).status_code


def test_a_model_server_that_is_killed_and_comes_back(gateway: Gateway, model_server: StandIn, load: Load) -> None:
    model_server.kill()
    load.sees(503, 100)
    assert readiness(gateway) == 503
    assert set(load.statuses()) <= {200, 503} and load.longest() < DEADLINE + SPARE_SECONDS
    model_server.start()
    load.recovers(RETURN_SECONDS)
    eventually(lambda: readiness(gateway) == 200, "readiness")
    load.sees(200, 50)
    assert set(load.statuses()) == {200}


def test_a_model_server_that_stops_answering_and_goes_on(gateway: Gateway, model_server: StandIn, load: Load) -> None:
    model_server.signal(signal.SIGSTOP)
    load.sees(504, 1)
    load.sees(503, 100)
    assert set(load.statuses()) <= {200, 503, 504} and load.longest() < DEADLINE + SPARE_SECONDS
    assert readiness(gateway) == 503
    load.forget()
    load.sees(503, 100)
    refused = load.statuses()
    assert refused[503] > 10 * refused[504]  # those that find out wait, and no others
    model_server.signal(signal.SIGCONT)
    load.recovers(RETURN_SECONDS)
    eventually(lambda: readiness(gateway) == 200, "readiness")
    load.sees(200, 50)
    assert set(load.statuses()) == {200}


def test_a_model_server_that_is_ten_times_slower(model_server: StandIn, load: Load) -> None:
    model_server.signal(signal.SIGUSR1)
    load.sees(200, 100)
    assert set(load.statuses()) == {200}
