"""No input produces a 500: whatever is sent gets its answer or a problem that is documented."""

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.gateway.imaging.decode import FORMATS
from testing.encoded import drawn, encode

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:PIL")]
DOCUMENTED = {200, 400, 404, 413, 415, 422}
FILES = [encode(drawn(2).resize((20, 22)), format) for format in FORMATS]
PATHS = ["/predict", "/compare"]
RAW = "application/octet-stream"
TYPES = [RAW, "application/json", "image/png", "multipart/form-data; boundary=x", "text/plain", ""]

fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(max_size=30)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
trees = st.recursive(leaves, lambda t: st.lists(t, max_size=4) | st.dictionaries(texts | st.just("b64"), t, max_size=3))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw an image's file in which some bytes are others, and which may be cut off."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=12)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@fuzz
@given(body=st.binary(max_size=2000), content_type=st.sampled_from(TYPES), path=st.sampled_from(PATHS))
def test_random_bytes(client: FlaskClient, body: bytes, content_type: str, path: str) -> None:
    assert client.post(path, data=body, content_type=content_type).status_code in DOCUMENTED


@fuzz
@given(tree=trees)
def test_random_json(client: FlaskClient, tree: object) -> None:
    assert client.post("/predict", json={"instances": tree}).status_code in DOCUMENTED
    assert client.post("/predict", json=tree).status_code in DOCUMENTED


@fuzz
@given(data=damaged())
def test_damaged_images(client: FlaskClient, data: bytes) -> None:
    assert client.post("/predict", data=data, content_type="image/png").status_code in DOCUMENTED


@fuzz
@given(query=st.dictionaries(texts | st.sampled_from(["variant", "uncertainty"]), texts), unit=st.binary(max_size=300))
def test_random_parameters(client: FlaskClient, query: dict[str, str], unit: bytes) -> None:
    headers = {"X-Unit-Id": unit.translate(None, b"\r\n").decode("latin-1")}
    answer = client.post("/predict", query_string=query, data=bytes(784), content_type=RAW, headers=headers)
    assert answer.status_code in DOCUMENTED
