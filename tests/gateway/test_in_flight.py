import pytest

from serving.gateway.errors import TooManyRequests
from serving.gateway.in_flight import InFlight


def test_one_more_than_allowed_is_refused_and_places_come_free_again() -> None:
    limit = InFlight(2)
    for _ in range(3):
        with limit, limit:
            with pytest.raises(TooManyRequests) as caught, limit:
                pass
            assert caught.value.detail == "2 predictions are being worked on; try again shortly."


def test_an_error_frees_its_place() -> None:
    limit = InFlight(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), limit:
            raise ZeroDivisionError
