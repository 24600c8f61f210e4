"""Begin and end each request: its id, its span, its line in the log, its headers."""

import os
import re
import time
from typing import NamedTuple

from flask import Flask, Response, g, request

from serving.gateway.access.cors import cors_headers
from serving.gateway.access.security_headers import security_headers
from serving.gateway.telemetry.journal import Answered
from serving.gateway.web.context import Gateway, RequestRecord, gateway, incoming, record
from serving.gateway.web.replies import Headers
from serving.gateway.web.request import Request, forget_long_fields, from_wsgi

HEADER = "X-Request-Id"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
UNKNOWN_PATH = "other"


class Admitted(NamedTuple):
    """A request that the worker's event loop has begun and admitted; `admitted` of its ASGI scope."""

    request: Request
    record: RequestRecord


def register(app: Flask) -> None:
    """Make `app` begin and end its requests so."""

    def start() -> None:
        forget_long_fields(request.environ)
        admitted = request.environ.get("asgi.scope", {}).get("admitted")
        if admitted:
            g.incoming, g.record = admitted
            return
        g.incoming = from_wsgi(request.environ, gateway().settings.trusted_proxies)
        g.record = begin(gateway(), g.incoming)
        gateway().admission.admit(g.incoming, request.endpoint or "")

    def finish(response: Response) -> Response:
        length = response.headers.get("Content-Length", "")
        kind = response.headers.get("Content-Type", "")
        response.headers.extend(end(gateway(), incoming(), record(), route(), response.status_code, kind, length))
        return response

    app.before_request(start)
    app.after_request(finish)


def route() -> str:
    """Return the pattern of the Flask request's path, UNKNOWN_PATH for a path that is not the API's."""
    rule = request.url_rule
    return rule.rule if rule else UNKNOWN_PATH


def begin(services: Gateway, incoming: Request) -> RequestRecord:
    """Return the record of a request that has just come."""
    given = incoming.headers.get("x-request-id", "")
    span = services.tracing.begin(incoming.method, incoming.path, incoming.headers)
    return RequestRecord(
        given if SANE_ID.fullmatch(given) else os.urandom(16).hex(),
        time.perf_counter(),
        span,
        services.tracing.trace_id(span),
    )


def end(
    services: Gateway, incoming: Request, done: RequestRecord, route: str, status: int, kind: str, length: str
) -> Headers:
    """Record a request that ends in `status` with a body of content type `kind`, `length` bytes long.

    Return the headers that every answer has.
    """
    take = incoming.headers.get
    services.journal.add(
        Answered(
            id=done.id, client=incoming.client, method=incoming.method, path=incoming.path, route=route, status=status,
            seconds=time.perf_counter() - done.started, bytes_in=take("content-length", ""), bytes_out=length,
            agent=take("user-agent", ""), traceparent=take("traceparent", ""), trace_id=done.trace_id,
            variant=done.variant, version=done.version, images=done.images, problem=done.problem, key=incoming.caller,
            at=time.time(),
        )
    )  # fmt: skip
    if done.span is not None:
        _end_span(services, incoming, done, route, status)
    headers = [(HEADER, done.id)]
    if done.variant:
        headers.append(("X-Variant", done.variant))
    return [
        *headers,
        *security_headers(kind),
        *cors_headers(incoming.method, incoming.headers, services.settings.cors_origins),
    ]


def _end_span(services: Gateway, incoming: Request, done: RequestRecord, route: str, status: int) -> None:
    attributes: dict[str, str | int] = {
        "http.route": route,
        "dropserve.request_id": done.id,
        "dropserve.variant": done.variant,
        "dropserve.version": done.version,
        "dropserve.images": done.images,
    }
    services.tracing.end(done.span, f"{incoming.method} {route}", status, attributes)
