import pytest
from flask.testing import FlaskClient
from PIL import Image

from serving.gateway.access.api_keys import digest
from testing.encoded import drawn, encode
from testing.traffic import RAW
from tests.gateway.conftest import MakeClient

LARGE = encode(drawn(7).resize((2000, 2000), Image.Resampling.NEAREST))  # four million pixels


def post(client: FlaskClient, path: str, body: bytes, content_type: str, **headers: str) -> int:
    return client.post(path, data=body, content_type=content_type, headers=headers).status_code


@pytest.mark.parametrize("path", ["/predict", "/compare"])
def test_each_million_pixels_counts_as_one_more_request(make_client: MakeClient, path: str) -> None:
    client = make_client(rate_limit=1, rate_burst=7)
    assert post(client, path, LARGE, "image/png") == 200  # takes five of seven
    assert [post(client, path, bytes(784), RAW) for _ in range(3)] == [200, 200, 429]


def test_they_are_charged_to_the_key(make_client: MakeClient) -> None:
    keys = f"{digest('one')},{digest('two')}"
    client = make_client(rate_limit=1, rate_burst=2, api_keys=keys)
    assert post(client, "/predict", LARGE, "image/png", Authorization="Bearer one") == 200
    statuses = [post(client, "/predict", bytes(784), RAW, Authorization=f"Bearer {key}") for key in ("one", "two")]
    assert statuses == [429, 200]
