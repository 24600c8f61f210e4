"""Give every request an id, log it in one line and count it."""

import os
import re
import time
from typing import Any

from flask import Flask, Response, g, request

from serving.gateway.server.wsgi import Environ, Headers
from serving.gateway.telemetry.logs import write_access
from serving.gateway.web.context import Gateway, RequestRecord, gateway, record

HEADER = "X-Request-Id"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
UNKNOWN_PATH = "other"
LONGEST = 512  # characters in the log of what a client chose


def register(app: Flask) -> None:
    """Make `app` do so."""

    def start() -> None:
        g.record = begin(request.environ)

    def finish(response: Response) -> Response:
        length = response.headers.get("Content-Length", "")
        added = end(gateway(), request.environ, record(), route(), response.status_code, length)
        response.headers.extend(added)
        return response

    app.before_request(start)
    app.after_request(finish)


def route() -> str:
    """Return the pattern of the request's path, UNKNOWN_PATH for one that is none of the API's."""
    rule = request.url_rule
    return rule.rule if rule else UNKNOWN_PATH


def begin(environ: Environ) -> RequestRecord:
    """Return the record of a request that has just come."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return RequestRecord(given if SANE_ID.fullmatch(given) else os.urandom(16).hex(), time.perf_counter())


def end(services: Gateway, environ: Environ, done: RequestRecord, path: str, status: int, length: str) -> Headers:
    """Log and count a request that ends in `status`, `length` bytes long; return the headers that say whose it is."""
    seconds = time.perf_counter() - done.started
    services.metrics.answered(path, done.variant, done.version, status, seconds, done.images)
    if services.settings.logs_access:
        write_access(_line(environ, done, status, length, seconds))
    headers = [(HEADER, done.id)]
    if done.variant:
        headers.append(("X-Variant", done.variant))
    return headers


def _line(environ: Environ, done: RequestRecord, status: int, length: str, seconds: float) -> dict[str, Any]:
    line = {
        "request_id": done.id,
        "client": environ.get("REMOTE_ADDR"),
        "method": environ["REQUEST_METHOD"],
        "path": _path(environ)[:LONGEST],
        "status": status,
        "ms": round(1000 * seconds, 2),
        "bytes_in": environ.get("CONTENT_LENGTH", ""),
        "bytes_out": length,
        "agent": environ.get("HTTP_USER_AGENT", "")[:LONGEST],
        "variant": done.variant,
        "version": done.version,
        "images": done.images,
    }
    if done.trace_id:
        line["trace_id"] = done.trace_id
    elif caller := TRACEPARENT.fullmatch(environ.get("HTTP_TRACEPARENT", "")):
        line["trace_id"] = caller[1]
    if done.problem:
        line["problem"] = done.problem[:LONGEST]
    return line


def _path(environ: Environ) -> str:
    """Return the path as the client meant it: WSGI hands its UTF-8 over as Latin-1."""
    return environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
