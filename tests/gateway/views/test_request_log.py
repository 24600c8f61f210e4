import json
import logging
import re

import pytest
from flask.testing import FlaskClient

from serving.gateway.logs import log_config
from tests.gateway.conftest import json_of

RAW = "application/octet-stream"


@pytest.mark.parametrize("given", ["abc", "A.b-c_9", "x" * 128])
def test_a_sane_request_id_is_taken_over(client: FlaskClient, given: str) -> None:
    answer = client.post("/predict", data=bytes(784), content_type=RAW, headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == json_of(answer)["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", '"}'])
def test_any_other_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/nowhere", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_a_request_is_logged_in_one_line(client: FlaskClient, gateway_log: pytest.LogCaptureFixture) -> None:
    client.get("/healthz")
    gateway_log.clear()
    client.post("/predict?variant=dropout", data=bytes(1568), content_type=RAW, headers={"X-Request-Id": "one"})
    (line,) = [vars(record) for record in gateway_log.records if record.message == "request"]
    expected = {
        "request_id": "one", "method": "POST", "path": "/predict", "status": 200,
        "variant": "dropout", "version": "7", "images": 2,
    }  # fmt: skip
    assert {name: line[name] for name in expected} == expected


def test_a_refusal_is_logged_with_its_reason(client: FlaskClient, gateway_log: pytest.LogCaptureFixture) -> None:
    client.post("/predict?variant=gone", data=bytes(784), content_type=RAW)
    line = vars(gateway_log.records[-1])
    assert (line["status"], line["problem"]) == (404, "There is no variant 'gone'; there are plain, dropout.")


def test_a_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(log_config("info"))
    logging.getLogger("serving.gateway.test").info("say %s", '"hi"\n', extra={"images": 3})
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["level"], line["images"]) == ('say "hi"\n', "INFO", 3)


def test_every_answer_is_safe_to_show(client: FlaskClient) -> None:
    headers = client.get("/docs").headers
    assert headers["Content-Security-Policy"] == "default-src 'self'; img-src 'self' data: blob:"
    assert headers["X-Content-Type-Options"] == "nosniff"
