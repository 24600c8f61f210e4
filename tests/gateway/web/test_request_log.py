import json
import logging
import re
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.access.api_keys import digest
from serving.gateway.telemetry.logs import log_config
from testing.api import ADMIN_TOKEN, json_of
from tests.gateway.conftest import MakeClient

RAW = "application/octet-stream"


@pytest.mark.parametrize("given", ["abc", "A.b-c_9", "x" * 128])
def test_a_sane_request_id_is_taken_over(client: FlaskClient, given: str) -> None:
    answer = client.post("/predict", data=bytes(784), content_type=RAW, headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == json_of(answer)["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", '"}'])
def test_any_other_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/nowhere", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if '"access"' in line]


def test_a_request_is_logged_in_one_line(capfd: pytest.CaptureFixture[str], make_client: MakeClient) -> None:
    client = make_client()  # which writes to the standard error of now
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-Id": "one", "User-Agent": "curl", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = client.post("/predict?variant=dropout", data=bytes(1568), content_type=RAW, headers=headers)
    (line,) = lines(capfd)
    assert abs(datetime.fromisoformat(line.pop("time")) - datetime.now(UTC)) < timedelta(minutes=5)
    assert line.pop("ms") > 0
    assert line == {
        "level": "INFO", "logger": "access", "request_id": "one", "client": "127.0.0.1", "key": "",
        "method": "POST", "path": "/predict", "status": 200, "bytes_in": "1568", "bytes_out": str(len(answer.data)),
        "agent": "curl", "variant": "dropout", "version": "7", "images": 2, "trace_id": trace,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("token", "key"), [(ADMIN_TOKEN, "admin"), ("one", digest("one")[:12]), ("guess", ""), (None, "")]
)
def test_a_line_names_the_key(
    capfd: pytest.CaptureFixture[str], make_client: MakeClient, token: str | None, key: str
) -> None:
    client = make_client(api_keys=f"read:{digest('one')}")
    client.get("/variants", headers={"Authorization": f"Bearer {token}"} if token else {})
    (line,) = lines(capfd)
    assert line["key"] == key


def test_a_refusal_is_logged_with_its_reason(capfd: pytest.CaptureFixture[str], make_client: MakeClient) -> None:
    client = make_client()  # which writes to the standard error of now
    client.post("/predict?variant=gone", data=bytes(784), content_type=RAW)
    (line,) = lines(capfd)
    assert (line["status"], line["problem"]) == (404, "There is no variant 'gone'; there are plain, dropout.")


def test_what_a_client_chose_is_cut_off(capfd: pytest.CaptureFixture[str], make_client: MakeClient) -> None:
    client = make_client()  # which writes to the standard error of now
    headers = {"User-Agent": "x" * 5000, "traceparent": "y" * 5000}
    client.get("/" + 5000 * "\N{SNOWMAN}", headers=headers)
    (line,) = lines(capfd)
    assert {name: len(line[name]) for name in ("agent", "path", "problem")} == dict.fromkeys(
        ("agent", "path", "problem"), 512
    )
    assert "trace_id" not in line


@pytest.mark.parametrize("off", [{"access_log": "false"}, {"log_level": "warning"}])
def test_requests_need_not_be_logged(
    capfd: pytest.CaptureFixture[str], make_client: MakeClient, off: dict[str, str]
) -> None:
    assert make_client(**off).get("/healthz").status_code == 200
    assert lines(capfd) == []


@pytest.mark.parametrize("path", ["/healthz", "/docs"])
def test_a_log_that_nobody_takes_stops_nothing(client: FlaskClient, path: str) -> None:
    handler = logging.getLogger("access").handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    with TextIOWrapper(open("/dev/full", "wb", buffering=0), write_through=True) as full:  # noqa: SIM115
        before = handler.setStream(full)
        assert client.get(path).status_code == 200
        handler.setStream(before)


def test_a_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(log_config("info"))
    logging.getLogger("serving.gateway.test").info("say %s", '"hi"\n', extra={"images": 3})
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["level"], line["images"]) == ('say "hi"\n', "INFO", 3)
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)  # as in the lines of requests
