"""Give every request an id, log it in one line and count it."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from serving.gateway.views.context import RequestRecord, gateway, record

logger = logging.getLogger(__name__)

HEADER = "X-Request-Id"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
UNKNOWN_PATH = "other"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data: blob:"


def register(app: Flask) -> None:
    """Make `app` do so."""
    app.before_request(_start)
    app.after_request(_finish)


def _start() -> None:
    given = request.headers.get(HEADER, "")
    g.record = RequestRecord(given if SANE_ID.fullmatch(given) else uuid.uuid4().hex, time.perf_counter())


def _finish(response: Response) -> Response:
    done = record()
    seconds = time.perf_counter() - done.started
    response.headers[HEADER] = done.id
    if done.variant:
        response.headers["X-Variant"] = done.variant
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    path = request.url_rule.rule if request.url_rule else UNKNOWN_PATH
    gateway().metrics.answered(path, done.variant, done.version, response.status_code, seconds, done.images)
    logger.info(
        "request",
        extra={
            "request_id": done.id,
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round(1000 * seconds, 2),
            "variant": done.variant,
            "version": done.version,
            "images": done.images,
            **({"problem": done.problem} if done.problem else {}),
        },
    )
    return response
