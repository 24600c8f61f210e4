"""The table of bad input: what each gets, and that it says so as a problem."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import grpc
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from serving.gateway.web.problems import MOST_FAULTS, Problem
from testing.encoded import drawn, encode
from testing.fake_model_server import FakeModelServer
from tests.gateway.conftest import MakeClient

PIXELS = np.zeros((28, 28), np.uint8)
PIXELS[4:24, 12:16] = 255
ONE = {"instances": [PIXELS.tolist()]}
PNG, RAW, JSON, FORM = "image/png", "application/octet-stream", "application/json", "multipart/form-data"
FILE = encode(drawn(3))


def instance(*path: int, value: Any) -> bytes:
    """Return the body ONE with the pixel or row at `path` replaced by `value`."""
    image: Any = PIXELS.tolist()
    place = image
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps({"instances": [image]}).encode()


def problem(answer: Any, status: int) -> Problem:
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    found = Problem.model_validate_json(answer.data)
    assert found.status == status
    return found


@pytest.mark.parametrize(
    ("content_type", "body", "status", "place", "detail"),
    [
        (PNG, b"no image", 422, "", "This is no BMP, GIF, JPEG, PNG or WEBP image."),
        (PNG, b"", 422, "", "This is no BMP, GIF, JPEG, PNG or WEBP image."),
        (PNG, FILE[:200], 422, "", "The PNG image is damaged or cut off:"),
        (PNG, encode(Image.new("L", (50, 50), 255)), 422, "", "The image is blank: nothing on it stands out"),
        (RAW, bytes(783), 422, None, "The body has 783 bytes; images of 28 × 28 pixels take a multiple of 784"),
        (RAW, b"", 422, None, "The body has 0 bytes;"),
        (JSON, b'{"instances": [', 400, None, "The body is not JSON: EOF while parsing a list at line 1 column 15."),
        (JSON, b"", 400, None, "The body is not JSON: EOF while parsing a value at line 1 column 0."),
        (JSON, b'{"instances": []}', 422, "/instances", "/instances: List should have at least 1 item"),
        (JSON, instance(12, 5, value=256), 422, "/instances/0/12/5", "/instances/0/12/5: Input should be less"),
        (JSON, instance(12, 5, value=-1), 422, "/instances/0/12/5", "/instances/0/12/5: Input should be greater"),
        (JSON, instance(12, 5, value=0.5), 422, "/instances/0/12/5", "/instances/0/12/5: Input should be a"),
        (JSON, instance(12, 5, value=float("nan")), 422, "/instances/0/12/5", "/instances/0/12/5: Input should be a"),
        (JSON, instance(12, 5, value="x"), 422, "/instances/0/12/5", "/instances/0/12/5: Input should be a"),
        (JSON, instance(12, value=[0] * 27), 422, "/instances/0/12", "/instances/0/12: Input should have 28 pixels"),
        (JSON, b'{"instances": [{"b64": "?"}]}', 422, "/instances/0/b64", "/instances/0/b64: This is not base64:"),
        (JSON, b'{"instances": [{"b64": "AAAA"}]}', 422, "/instances/0/b64", "/instances/0/b64: This is no BMP"),
        (FORM, {"image": [(BytesIO(FILE), "a"), (BytesIO(b"x"), "b")]}, 422, "/image/1", "/image/1: This is no BMP"),
        (FORM, {"picture": (BytesIO(FILE), "a")}, 422, "/image", "/image: The form has no file in a field 'image';"),
        (FORM, {"image": "text"}, 422, "/image", "/image: The form has no file in a field 'image'; its fields: image"),
        ("text/plain", b"7", 415, None, "Content-Type 'text/plain' is not read; send one of application/json,"),
        ("", b"7", 415, None, "A missing Content-Type is not read; send one of"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/predict", "/compare"])
def test_a_bad_body_is_told_what_is_wrong_and_where(
    client: FlaskClient, path: str, content_type: str, body: Any, status: int, place: str | None, detail: str
) -> None:
    if isinstance(body, dict):  # the client closes the files that it sends
        body = {name: _copies(value) for name, value in body.items()}
    found = problem(client.post(path, data=body, content_type=content_type), status)
    assert found.detail.startswith(detail)
    assert [fault.pointer for fault in found.errors or []] == ([] if place is None else [place])


def _copies(value: Any) -> Any:
    if isinstance(value, list):
        return [_copies(each) for each in value]
    return (BytesIO(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        ("/predict?variant=l2", 404, "There is no variant 'l2'; there are plain, dropout."),
        ("/predict?experiment=x", 404, "There is no experiment 'x'; there are none."),
        ("/compare?variants=plain,l2", 404, "There is no variant 'l2'; there are plain, dropout."),
        ("/compare?variants=", 404, "There is no variant ''; there are plain, dropout."),
        ("/predict?varient=l2", 422, "/query/varient: There is no such parameter."),
        ("/predict?uncertainty=maybe", 422, "/query/uncertainty: Input should be a valid boolean"),
        ("/predict?uncertainty=true", 422, "Variant 'plain' cannot tell its uncertainty; those that can: dropout."),
        ("/nowhere", 404, "There is nothing at /nowhere; /docs lists all paths."),
        ("/healthz", 405, "The method is not allowed for the requested URL."),
    ],
)
def test_a_bad_address_is_told_what_there_is(client: FlaskClient, url: str, status: int, detail: str) -> None:
    assert problem(client.post(url, json=ONE), status).detail.startswith(detail)


def test_a_method_that_is_not_allowed_is_told_which_are(client: FlaskClient) -> None:
    assert set(client.post("/healthz").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_an_endless_unit_id_is_refused(client: FlaskClient) -> None:
    found = problem(client.post("/predict", json=ONE, headers={"X-Unit-Id": "x" * 201}), 422)
    assert found.detail == "/header/X-Unit-Id: String should have at most 200 characters."


def test_a_compressed_body_is_refused(client: FlaskClient) -> None:
    found = problem(client.post("/predict", json=ONE, headers={"Content-Encoding": "gzip"}), 415)
    assert found.detail == "Content-Encoding 'gzip': send the body as it is."


@pytest.mark.parametrize(
    ("path", "headers", "status", "start"),
    [
        ("/predict", {"Content-Type": PNG, "Content-Encoding": "x" * 5000}, 415, "Content-Encoding 'xxx"),
        ("/predict", {"Content-Type": "x" * 5000}, 415, "Content-Type 'xxx"),
        ("/feedback", {"Content-Type": "x" * 5000}, 415, "Content-Type 'xxx"),
        ("/predict", {"Content-Type": f"{FORM}; boundary={'x' * 5000}"}, 400, "The Content-Type has 5,030 characters"),
    ],
)
def test_long_fields_are_neither_parsed_nor_repeated(
    client: FlaskClient, path: str, headers: dict[str, str], status: int, start: str
) -> None:
    found = problem(client.post(path, data=FILE, headers=headers), status)
    assert found.detail.startswith(start)
    assert len(found.detail) < 300


@pytest.mark.parametrize("path", ["/predict", "/compare"])
def test_an_answer_names_twenty_faults_of_a_query(client: FlaskClient, path: str) -> None:
    found = problem(client.post(f"{path}?{'&'.join(f'a{at}' + '=1' for at in range(500))}", json=ONE), 422)
    assert len(found.errors or []) == MOST_FAULTS


@pytest.mark.parametrize("content_type", [JSON, RAW, PNG, FORM])
@pytest.mark.parametrize("size", [2001, 3000])
def test_a_body_over_the_limit_is_refused(make_client: MakeClient, content_type: str, size: int) -> None:
    body = {"image": (BytesIO(bytes(size)), "a")} if content_type == FORM else bytes(size)
    answer = make_client(max_body_bytes=2000).post("/predict", data=body, content_type=content_type)
    assert problem(answer, 413).detail.startswith("The body is larger")


def test_a_body_of_just_the_limit_is_read(make_client: MakeClient) -> None:
    assert make_client(max_body_bytes=1568).post("/predict", data=bytes(1568), content_type=RAW).status_code == 200


@pytest.mark.parametrize("content_type", [JSON, RAW, PNG, FORM])
def test_a_body_without_a_length_is_held_to_the_limit_too(make_client: MakeClient, content_type: str) -> None:
    type_ = content_type + ("; boundary=x" if content_type == FORM else "")
    answer = make_client(max_body_bytes=2000).post(
        "/predict",
        content_type=type_,
        input_stream=BytesIO(bytes(3000)),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},  # as gunicorn says of a chunked body
    )
    problem(answer, 413)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, json.dumps({"instances": ONE["instances"] * 3}).encode()),
        (RAW, PIXELS.tobytes() * 3),
        (FORM, {"image": [(BytesIO(FILE), "a"), (BytesIO(FILE), "b"), (BytesIO(FILE), "c")]}),
    ],
)
def test_more_images_than_allowed_are_refused(make_client: MakeClient, content_type: str, body: Any) -> None:
    problem(make_client(max_instances=2).post("/predict", data=body, content_type=content_type), 413)


def test_an_image_of_too_many_pixels_is_refused(make_client: MakeClient) -> None:
    found = problem(make_client(max_pixels=43_999).post("/predict", data=FILE, content_type=PNG), 413)
    assert found.detail == "The image has 200 × 220 pixels; at most 43,999 are decoded."


def test_images_of_too_many_pixels_together_are_refused(make_client: MakeClient) -> None:
    files = {"image": [(BytesIO(FILE), "a"), (BytesIO(FILE), "b")]}
    found = problem(make_client(max_request_pixels=87_999).post("/predict", data=files), 413)
    assert found.detail == "The images have 88,000 pixels together; at most 87,999 are decoded."


def test_more_in_flight_than_accepted_are_refused(make_client: MakeClient, fake_server: FakeModelServer) -> None:
    client, arrived, released = make_client(max_in_flight=1), threading.Event(), threading.Event()

    def hold(context: grpc.ServicerContext) -> None:
        arrived.set()
        released.wait(timeout=10)

    fake_server.fault = hold
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.application.test_client().post, "/predict", json=ONE)
        assert arrived.wait(timeout=10)
        refused = client.post("/predict", json=ONE)
        released.set()
        assert first.result().status_code == 200
    assert problem(refused, 429).detail == "1 predictions are being worked on; try again shortly."
    assert refused.headers["Retry-After"] == "1"
    assert client.post("/predict", json=ONE).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/compare"])
@pytest.mark.parametrize(
    ("code", "status", "retry_after"),
    [
        ("UNAVAILABLE", 503, "1"),
        ("RESOURCE_EXHAUSTED", 503, "1"),
        ("NOT_FOUND", 503, "1"),
        ("DEADLINE_EXCEEDED", 504, None),
        ("FAILED_PRECONDITION", 502, None),
    ],
)
def test_the_model_servers_trouble_is_told(
    client: FlaskClient, fake_server: FakeModelServer, path: str, code: str, status: int, retry_after: str | None
) -> None:
    fake_server.fault = lambda context: context.abort(grpc.StatusCode[code], "no")
    answer = client.post(path, json=ONE)
    problem(answer, status)
    assert answer.headers.get("Retry-After") == retry_after


def test_a_model_server_that_is_down_is_told_at_once(client: FlaskClient, fake_server: FakeModelServer) -> None:
    fake_server.stop()
    answer = client.post("/predict", json=ONE)
    assert problem(answer, 503).detail == "The model server cannot be reached; try again shortly."


def test_a_model_server_that_hangs_is_given_up(make_client: MakeClient, fake_server: FakeModelServer) -> None:
    released = threading.Event()
    fake_server.fault = lambda context: released.wait(timeout=10)
    try:
        answer = make_client(deadline_ms=100).post("/predict", json=ONE)
        assert problem(answer, 504).detail == "The model server did not answer within 0.1 s."
    finally:
        released.set()


def test_a_bug_is_a_problem_too_and_tells_nothing_of_itself(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, gateway_log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("serving.gateway.web.predictions.routing.choose", lambda *_: 1 / 0)
    answer = client.post("/predict", json=ONE, headers={"X-Request-Id": "abc"})
    assert problem(answer, 500).detail == "The gateway failed; its log gives the cause under this request's id."
    assert "ZeroDivisionError" in gateway_log.text
    (bug,) = [record for record in gateway_log.records if record.exc_info]
    assert bug.request_id == "abc"  # type: ignore[attr-defined]


LONG_HEAD = b"a: b\r\n" * 2000
REST_OF_FORM = b"\r\n7\r\n--x--\r\n"
HEAD_OF_PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\n'


@pytest.mark.parametrize(
    ("body", "parameter", "detail"),
    [
        (
            HEAD_OF_PART % "größe.png".encode("latin-1") + REST_OF_FORM,
            "; boundary=x",
            "its names must be UTF-8, its",
        ),
        (HEAD_OF_PART % b"7.png" + REST_OF_FORM, "", "The form cannot be read: Missing boundary."),
        (HEAD_OF_PART % b"7.png" + b"\r\n7\r\n", "; boundary=x", "The form cannot be read: "),
        (
            HEAD_OF_PART % b"7.png" + b"a: b\r\n" * 2000 + REST_OF_FORM,
            "; boundary=x",
            "a head of more than 8,192 bytes",
        ),
        (HEAD_OF_PART % b"7.png", "; boundary=x", "a head of more than 8,192 bytes, or of no end."),
        (b"--x\r\n\r\n" + LONG_HEAD + REST_OF_FORM, "; boundary=x", "a head of more than 8,192 bytes"),
        (b"text--x\r\n" + LONG_HEAD + REST_OF_FORM, "; boundary=x", "a head of more than 8,192 bytes"),
        (b"--x \t\n--x--\n" + LONG_HEAD + REST_OF_FORM, "; boundary=x", "a head of more than 8,192 bytes"),
        (b"--x\r\n\r\n\r\n--x\r\n" + LONG_HEAD + REST_OF_FORM, "; boundary=x", "a head of more than 8,192 bytes"),
        (HEAD_OF_PART % b"7.png" + REST_OF_FORM, '; boundary="ü"', "its boundary ASCII"),
    ],
    ids=[
        "latin-1",
        "no boundary",
        "cut",
        "long head",
        "head alone",
        "long head after a line",
        "long head after text",
        "long head with an end in it",
        "long second head",
        "boundary",
    ],
)
def test_a_form_that_does_not_parse_says_why(client: FlaskClient, body: bytes, parameter: str, detail: str) -> None:
    answer = client.post("/predict", data=body, content_type=f"multipart/form-data{parameter}")
    assert detail in problem(answer, 400).detail


@pytest.mark.parametrize("line_break", [b"\r\n", b"\n", b"\r"])
def test_line_breaks_of_a_form_are_of_any_kind(client: FlaskClient, line_break: bytes) -> None:
    head, end = ((text).replace(b"\r\n", line_break) for text in (HEAD_OF_PART % b"--x" + b"\r\n", b"\r\n--x--\r\n"))
    answer = client.post("/predict", data=head + FILE + end, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 200, answer.text


def test_what_looks_like_a_delimiter_in_a_file_is_none(client: FlaskClient) -> None:
    lines = b"\r\n--xyz\r\n" * 20 + b"--x" * 2000
    body = HEAD_OF_PART % b"7.png" + b"\r\n" + FILE + lines + b"\r\n--x--\r\nafter it\r\n--x\r\n" + LONG_HEAD
    answer = client.post("/predict", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 200, answer.text


def test_a_part_of_a_form_without_a_name_is_named_by_nothing(client: FlaskClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; filename="7.png"\r\n\r\n7\r\n--x--\r\n'
    answer = client.post("/predict", data=body, content_type="multipart/form-data; boundary=x")
    assert problem(answer, 422).detail == "/image: The form has no file in a field 'image'; its fields: none."


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"instances": [], "signature_name": "%b"}', "application/json"),
        (b'{"inputs": {"%b": []}}', "application/json"),
        (b'{"instances": [{"%b": 1}]}', "application/json"),
        (b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n7\r\n--x--\r\n', "multipart/form-data; boundary=x"),
    ],
)
def test_long_texts_of_the_client_are_cut(client: FlaskClient, body: bytes, content_type: str) -> None:
    size = 1_000_000 if content_type == "application/json" else 8_000  # the head of a part has no room for more
    answer = client.post("/predict", data=body % (b"x" * size), content_type=content_type)
    assert answer.status_code == 422
    assert len(answer.data) < min(10_000, size / 4)
