"""A worker of the gateway is killed."""

import pytest

from testing.running_gateway import Gateway
from testing.waiting import eventually
from tests.gateway.faults.load import BROKEN, THREADS, Load

pytestmark = pytest.mark.slow


def test_a_killed_worker_takes_only_its_own_requests_along(gateway: Gateway, load: Load) -> None:
    before = gateway.workers()
    before[0].kill()
    eventually(lambda: len(gateway.workers()) == 2 and before[0] not in gateway.workers(), "another worker")
    load.sees(200, 50)
    statuses = load.statuses()
    assert set(statuses) <= {200, BROKEN} and statuses[BROKEN] <= THREADS  # each at most what it was waiting for
    load.forget()
    load.sees(200, 50)
    assert set(load.statuses()) == {200}
