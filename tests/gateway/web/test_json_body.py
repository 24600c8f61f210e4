"""JSON bodies of calls are bounded in size and in structure before they are parsed."""

import json
import re

import pytest

from testing.api import ADMIN, json_of
from tests.gateway.conftest import MakeClient

PATHS = ["/feedback", "/experiments", "/experiments/x/start", "/variants/rollback", "/variants/plain/promote"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body", [b"[" + b"[]," * 20_000, b'{"a":"",' * 5000, b"[" + b"0," * 20_000, b'["' + b'",""' * 9000]
)
def test_too_much_structure_is_refused_unparsed(make_client: MakeClient, path: str, body: bytes) -> None:
    answer = make_client().post(path, data=body, content_type="application/json", headers=ADMIN)
    assert answer.status_code == 413  # parsed, it would be 400: it ends too early
    detail = str(json_of(answer)["detail"])
    assert re.match(r"The first [\d,]+ bytes of the JSON have [\d,]+ brackets, braces and quotes, and ", detail)
    assert detail.endswith("at most 20,000 and 10,000 are read. Send less in one request.")


@pytest.mark.parametrize("path", PATHS)
def test_too_large_a_body_is_refused(make_client: MakeClient, path: str) -> None:
    client = make_client(max_other_body_bytes=2000)
    answer = client.post(path, data=b'"' + b"x" * 2000, content_type="application/json", headers=ADMIN)
    assert answer.status_code == 413
    assert json_of(answer)["detail"] == "The body is larger than 2,000 bytes (GATEWAY_MAX_OTHER_BODY_BYTES)."


def test_a_thousand_items_of_feedback_are_read(make_client: MakeClient) -> None:
    item = {"prediction_id": "x" * 60, "label": "7", "source": "ground_truth"}
    body = json.dumps({"items": [item] * 1000}, indent=2)
    answer = make_client().post("/feedback", data=body, content_type="application/json", headers=ADMIN)
    assert (answer.status_code, len(json_of(answer)["items"])) == (200, 1000)
