"""Give every request an id, log it in one line and count it."""

import os
import re
import time
from typing import Any

from flask import Flask, Response, g, request

from serving.gateway.logs import write_access
from serving.gateway.views.context import RequestRecord, gateway, record

HEADER = "X-Request-Id"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
UNKNOWN_PATH = "other"
LONGEST = 512  # characters in the log of what a client chose


def register(app: Flask) -> None:
    """Make `app` do so."""
    app.before_request(_start)
    app.after_request(_finish)


def _start() -> None:
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    g.record = RequestRecord(given if SANE_ID.fullmatch(given) else os.urandom(16).hex(), time.perf_counter())


def _finish(response: Response) -> Response:
    done, services = record(), gateway()
    response.headers.add(HEADER, done.id)
    if done.variant:
        response.headers.add("X-Variant", done.variant)
    seconds = time.perf_counter() - done.started
    services.metrics.answered(route(), done.variant, done.version, response.status_code, seconds, done.images)
    if services.settings.logs_access:
        write_access(_line(done, response, seconds))
    return response


def route() -> str:
    """Return the pattern of the request's path, UNKNOWN_PATH for one that is none of the API's."""
    rule = request.url_rule
    return rule.rule if rule else UNKNOWN_PATH


def _line(done: RequestRecord, response: Response, seconds: float) -> dict[str, Any]:
    environ = request.environ
    line = {
        "request_id": done.id,
        "client": environ.get("REMOTE_ADDR"),
        "method": environ["REQUEST_METHOD"],
        "path": request.path[:LONGEST],
        "status": response.status_code,
        "ms": round(1000 * seconds, 2),
        "bytes_in": environ.get("CONTENT_LENGTH", ""),
        "bytes_out": response.headers.get("Content-Length", ""),
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
