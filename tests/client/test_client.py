import gc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from dropserve import Client, DropserveError, Failed, Refused, Unreachable
from dropserve.folders import predict_files
from dropserve.transport import PatientRetry
from urllib3 import HTTPResponse

from testing.machine import ROOT, free_port
from tests.client.conftest import served

SEVEN = ROOT / "docs/seven.png"


@pytest.mark.slow
def test_a_path_bytes_and_an_open_file_get_the_same_answer(client: Client) -> None:
    with SEVEN.open("rb") as file:
        answer = client.predict(SEVEN, str(SEVEN), SEVEN.read_bytes(), file, io.BytesIO(SEVEN.read_bytes()))
    assert len({prediction["label"] for prediction in answer["predictions"]}) == 1
    assert len(answer["predictions"]) == 5


def test_parameters_reach_the_gateway(client: Client) -> None:
    answer = client.predict(SEVEN, variant="dropout", uncertainty=True, split=True)
    assert answer["variant"] == "dropout"
    (prediction,) = answer["predictions"]
    assert (prediction["entropy"], prediction["image"]) == (0.5, 0)


def test_no_image_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        Client("http://127.0.0.1:1").predict()


def test_threads_that_have_ended_keep_no_connection(client: Client, url: str) -> None:
    for _ in range(2):
        assert not any(answer.error for answer in predict_files(client, [SEVEN] * 4, batch=1))
    gc.collect()
    port = urlsplit(url).port
    assert [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == port] == []


def test_variants_see_the_same_pixels(client: Client) -> None:
    (result,) = client.compare(SEVEN, variants=["plain"])["results"]
    assert [each["variant"] for each in result["variants"]] == ["plain"]
    (result,) = client.compare(SEVEN)["results"]
    assert [each["variant"] for each in result["variants"]] == ["plain", "dropout"]


def test_a_label_is_stored_and_many_have_a_status_each(client: Client) -> None:
    first, second = (each["id"] for each in client.predict(SEVEN, SEVEN)["predictions"])
    assert client.label(first, "7", source="ground_truth")["status"] == 201
    answers = client.label_many([{"prediction_id": id, "label": "7"} for id in [second, "none"] * 501])
    assert [each["status"] for each in answers[:2]] == [201, 404]
    assert len(answers) == 1002  # in two requests


def test_an_experiment_goes_through_its_life(client: Client) -> None:
    arms: Any = [{"variant": name, "weight": 0.5} for name in ("plain", "dropout")]
    assert client.create_experiment({"name": "life", "control": "plain", "arms": arms})["status"] == "draft"
    assert client.move_experiment("life", "start", "a test")["status"] == "running"
    assert client.predict(SEVEN, experiment="life", unit="somebody")["experiment"] == "life"
    assert client.report("life")["experiment"] == "life"
    assert client.move_experiment("life", "stop")["status"] == "stopped"
    assert [each["name"] for each in client.experiments()] == ["life"]
    assert client.experiment("life")["status"] == "stopped"
    assert client.learning()["labelled"] == 0
    assert client.variants()["default"] == "plain"


def test_a_refusal_carries_the_gateways_sentence(client: Client, url: str) -> None:
    with pytest.raises(Refused, match="There is no variant 'foo'; there are plain, dropout.") as caught:
        client.predict(SEVEN, variant="foo")
    assert caught.value.status == 404
    with pytest.raises(Refused) as caught:
        client.predict(b"no image")
    assert caught.value.faults[0]["pointer"] == "/image/0"
    with pytest.raises(Refused) as caught:
        Client(url).move_experiment("life", "start")
    assert caught.value.status == 401


def test_an_odd_name_stays_in_its_place(client: Client) -> None:
    with pytest.raises(Refused) as caught:
        client.experiment("../variants")
    assert caught.value.status == 404


def test_nobody_there_is_said_at_once() -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=rf"No gateway answers at http://127.0.0.1:{port}: .*refused"):
        Client(f"http://127.0.0.1:{port}", retries=0).variants()


class Answers:
    """A WSGI application that gives made-up answers in turn, and keeps the requests' paths and headers."""

    def __init__(self, *answers: tuple[str, str, str]) -> None:
        self._answers, self.seen = iter(answers), list[tuple[str, str | None]]()

    def __call__(self, environ: Any, start: Any) -> Iterator[bytes]:
        status, retry_after, body = next(self._answers)
        self.seen.append((environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION")))
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        extra = [("Retry-After", retry_after)] if retry_after else []
        start(status, [("Content-Length", str(len(body))), *extra])
        yield body.encode()


BUSY, DOWN, FINE = (
    ("429 Busy", "0", '{"detail": "Busy."}'),
    ("503 Down", "0", "{}"),
    ("200 OK", "", '{"default": "l2"}'),
)


@pytest.mark.slow
def test_it_tries_again_where_the_gateway_is_busy_or_down() -> None:
    app = Answers(BUSY, DOWN, FINE)
    with served(app) as url, Client(url) as client:
        assert client.variants()["default"] == "l2"
    assert len(app.seen) == 3


def test_it_gives_up_with_the_last_answer() -> None:
    with served(Answers(BUSY, BUSY)) as url, Client(url, retries=1) as client, pytest.raises(Refused, match="Busy."):
        client.variants()
    with served(Answers(DOWN)) as url, Client(url, retries=0) as client, pytest.raises(Failed) as caught:
        client.predict(b"image")
    assert (str(caught.value), caught.value.status) == ("HTTP status 503", 503)


def test_no_answer_holds_it_up_for_long() -> None:
    answer = HTTPResponse(headers={"Retry-After": "86400"})
    assert PatientRetry().get_retry_after(answer) == 60


@pytest.mark.parametrize("status", ["200 OK", "502 Bad Gateway"])
def test_a_server_of_another_kind_is_no_gateway(status: str) -> None:
    page = (status, "", "<html>")
    with served(Answers(page)) as url, Client(url) as client, pytest.raises(DropserveError) as caught:
        client.variants()
    assert "/variants" in str(caught.value)


def test_a_key_with_a_lines_end_is_the_key_and_another_is_not_shown() -> None:
    app = Answers(FINE)
    with served(app) as url:
        Client(url, key="a-key\r\n").variants()
    assert app.seen == [("/variants", "Bearer a-key")]
    with pytest.raises(ValueError, match="^The key, DROPSERVE_API_KEY, has characters that no key has.$"):
        Client(key="a\nkey")


def test_a_unit_may_have_any_letters(client: Client) -> None:
    client.predict(SEVEN, unit="王")
    with pytest.raises(ValueError, match="has characters that cannot be sent"):
        client.predict(SEVEN, unit="a\nb")


def test_the_environment_names_gateway_and_key_and_netrc_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    app = Answers(FINE, FINE)
    with served(app) as url:
        monkeypatch.setenv("DROPSERVE_URL", f"{url}/")
        Client().variants()
        monkeypatch.setenv("DROPSERVE_API_KEY", "a-key")
        Client().variants()
    assert app.seen == [("/variants", None), ("/variants", "Bearer a-key")]
