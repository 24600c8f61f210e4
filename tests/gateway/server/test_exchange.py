import io
from collections.abc import Iterable
from typing import Any

import gevent
import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from serving.gateway.server.exchange import answered, environ_of, read_body
from serving.gateway.server.refusals import TooSlow
from serving.gateway.server.wsgi import Application

CLIENT, SERVER = ("10.0.0.1", 50_000), ("10.0.0.2", 8080)
HEAD = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 6\r\n\r\n"


class Wire:
    """A socket that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def parsed(*parts: bytes) -> Request:
    return Request(Config(), IterUnreader(parts), CLIENT)


def environ(*parts: bytes) -> dict[str, Any]:
    return environ_of(parsed(*parts), CLIENT, SERVER)


def body(*parts: bytes, most: int = 10) -> bytes:
    request = parsed(*parts)
    made = environ_of(request, CLIENT, SERVER)
    read_body(request, made, Wire(), most, 5)
    return made["wsgi.input"].read()


def test_a_request_becomes_an_environment() -> None:
    made = environ(
        b"GET /a%20b/%C3%A9?x=%20 HTTP/1.1\r\nHost: here\r\nContent-Type: text/plain\r\nX-Unit-Id: u\r\n\r\n"
    )
    assert {key: made[key] for key in made if not key.startswith("wsgi")} == {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/a b/\xc3\xa9", "QUERY_STRING": "x=%20",
        "RAW_URI": "/a%20b/%C3%A9?x=%20", "SERVER_NAME": "10.0.0.2", "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "10.0.0.1", "HTTP_HOST": "here", "CONTENT_TYPE": "text/plain",
        "HTTP_X_UNIT_ID": "u",
    }  # fmt: skip


def test_repeated_headers_become_one() -> None:
    made = environ(b"GET / HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: a\r\nX-Forwarded-For: b\r\n\r\n")
    assert made["HTTP_X_FORWARDED_FOR"] == "a,b"


def test_a_header_with_an_underscore_is_no_other_header() -> None:
    assert "HTTP_X_FORWARDED_FOR" not in environ(b"GET / HTTP/1.1\r\nHost: here\r\nX_Forwarded_For: a\r\n\r\n")


@pytest.mark.parametrize(
    "parts",
    [
        (HEAD + b"abcdef",),
        (HEAD + b"ab", b"cd", b"ef"),
        (HEAD, b"abcdefGET / HTTP/1.1\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n", b"2\r\nef\r\n0\r\n\r\n"),
    ],
)
def test_a_body_is_read_however_it_comes(parts: tuple[bytes, ...]) -> None:
    assert body(*parts) == b"abcdef"


def test_what_follows_a_body_is_the_next_request() -> None:
    request = parsed(HEAD + b"abcdefGET")
    read_body(request, environ_of(request, CLIENT, SERVER), Wire(), 10, 5)
    assert request.unreader.read() == b"GET"


def test_of_a_body_that_is_too_large_no_more_is_read_than_shows_it() -> None:
    assert body(HEAD + b"abcdef", most=5) == b""  # it says so itself
    chunked = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabcdefghi\r\n0\r\n\r\n"
    assert body(chunked, most=5) == b"abcdef"


def test_who_waits_to_be_told_to_go_on_is_told() -> None:
    request, wire = parsed(HEAD.replace(b"Host", b"Expect: 100-continue\r\nHost") + b"abcdef"), Wire()
    read_body(request, environ_of(request, CLIENT, SERVER), wire, 10, 5)
    assert wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    def slowly() -> Iterable[bytes]:
        yield HEAD
        gevent.sleep(30)

    request = Request(Config(), IterUnreader(slowly()), CLIENT)
    with pytest.raises(TooSlow, match="did not come within 0.01 seconds"):
        read_body(request, environ_of(request, CLIENT, SERVER), Wire(), 10, 0.01)


def application(status: str, *headers: tuple[str, str], body: bytes = b"text") -> Application:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return [body[:2], body[2:]]

    return answer


def response(made: Application, method: str = "GET", *, close: bool = False) -> tuple[list[str], bytes]:
    head, _, rest = answered(made, {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO()}, close).partition(b"\r\n\r\n")
    return [line for line in head.decode().split("\r\n") if not line.startswith("Date:")], rest


def test_a_response_says_how_long_it_is_and_whether_the_connection_stays() -> None:
    made = application("200 OK", ("Content-Type", "text/plain"))
    head = ["HTTP/1.1 200 OK", "Connection: keep-alive", "Content-Type: text/plain", "Content-Length: 4"]
    assert response(made) == (head, b"text")
    assert response(made, close=True)[0][1] == "Connection: close"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_statuses_have_no_body(status: str) -> None:
    assert response(application(status)) == ([f"HTTP/1.1 {status}", "Connection: keep-alive"], b"")


def test_head_has_the_length_of_what_get_would_return() -> None:
    head, rest = response(application("200 OK", ("Content-Length", "4")), "HEAD")
    assert head[-1] == "Content-Length: 4" and rest == b""


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb"])
def test_no_header_smuggles_another(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        response(application("200 OK", ("X-Variant", value)))


def test_an_application_that_wants_to_is_told_of_the_end() -> None:
    class Parts(list[bytes]):
        closed = False

        def close(self) -> None:
            self.closed = True

    parts = Parts([b"a"])

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return parts

    response(answer)
    assert parts.closed
