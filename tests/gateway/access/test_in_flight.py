import pytest

from serving.gateway.access.in_flight import InFlight
from serving.gateway.errors import TooManyRequests
from serving.gateway.telemetry.metrics import Metrics


def test_one_more_than_allowed_is_refused_and_places_come_free_again() -> None:
    metrics = Metrics()
    limit = InFlight(2, metrics)
    for _ in range(3):
        with limit, limit:
            with pytest.raises(TooManyRequests) as caught, limit:
                pass
            assert caught.value.detail == "2 predictions are being worked on; try again shortly."
            assert limit.count == 2
    assert limit.count == 0
    assert b'gateway_refused_total{reason="in_flight"} 3.0' in metrics.text().splitlines()


def test_an_error_frees_its_place() -> None:
    limit = InFlight(1, Metrics())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), limit:
            raise ZeroDivisionError
