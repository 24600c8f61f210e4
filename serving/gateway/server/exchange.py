"""One HTTP/1 exchange on a connection: gunicorn's parser reads it, WSGI is spoken with the application.

In place of gunicorn's own, which builds more than is used here and sends head and body apart.
"""

import sys
from email.utils import formatdate
from functools import lru_cache
from io import BytesIO
from time import time
from typing import Any
from urllib.parse import unquote_to_bytes

from gevent import Timeout
from gunicorn.http.message import Request

from serving.gateway.server.refusals import TooSlow
from serving.gateway.server.wsgi import Application, Environ, Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
WITHOUT_PREFIX = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}  # headers' names in WSGI
NO_BODY = ("204", "304")
READ_BYTES = 2**18  # of a body that does not come with its head


def environ_of(request: Request, client: Any, server: Any) -> Environ:
    """Return a request as WSGI has it, its body still to come, from the addresses of the `client` and the `server`."""
    host, port = server[:2] if isinstance(server, tuple) else ("localhost", 80)  # a Unix socket has neither
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": request.uri,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*request.version),
        "REMOTE_ADDR": client[0] if isinstance(client, tuple) else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": BytesIO(),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = WITHOUT_PREFIX.get(name) or "HTTP_" + name.replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def read_body(request: Request, environ: Environ, socket: Any, most: int, seconds: float) -> None:
    """Put the body into `environ`, up to one byte more than `most`; leave one that says it is larger to be refused.

    Raise TooSlow where it has not come within `seconds`.
    """
    announced = environ.get("CONTENT_LENGTH")
    if request._expected_100_continue:
        socket.sendall(CONTINUE)
    if not (announced or "HTTP_TRANSFER_ENCODING" in environ) or (length := int(announced or 0)) > most:
        return
    reader = request.body.reader
    if announced and length <= len(request.unreader.buf.getbuffer()):  # it came with the head
        environ["wsgi.input"] = BytesIO(reader.read(length))
        return
    request.unreader.mxchunk = READ_BYTES
    with Timeout(seconds, TooSlow(f"the body did not come within {seconds} seconds.")):
        environ["wsgi.input"] = BytesIO(reader.read(most + 1))


def answered(application: Application, environ: Environ, close: bool) -> bytes:
    """Return the whole response of `application` to a request, after which the connection is closed or not."""
    started: list[tuple[Any, ...]] = []
    parts = application(environ, lambda *arguments: started.append(arguments))
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[-1][:2]
    without_body = environ["REQUEST_METHOD"] == "HEAD" or status[:3] in NO_BODY
    if not without_body and not any(name == "Content-Length" for name, _ in headers):
        headers = [*headers, ("Content-Length", str(len(body)))]
    return _head(status, headers, close) + (b"" if without_body else body)


def _head(status: str, headers: Headers, close: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Date: {_date(int(time()))}",
        f"Connection: {'close' if close else 'keep-alive'}",
        *[f"{name}: {value}" for name, value in headers],
        "\r\n",
    ]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError(f"a header has a line break in it: {headers}")
    return text.encode("latin-1")


@lru_cache(1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
