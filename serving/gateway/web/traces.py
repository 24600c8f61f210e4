"""Follow each request by a span."""

from flask import Flask, Response, g, request

from serving.gateway.telemetry.spans import Attributes, Spans
from serving.gateway.web.context import record
from serving.gateway.web.request_log import route


def register(app: Flask, spans: Spans) -> None:
    """Make `app` do so."""

    def begin() -> None:
        g.span = spans.begin(request.environ)
        record().trace_id = g.span.trace_id

    def end(response: Response) -> Response:
        done, path = record(), route()
        attributes: Attributes = {
            "http.route": path,
            "dropserve.request_id": done.id,
            "dropserve.variant": done.variant,
            "dropserve.version": done.version,
            "dropserve.images": done.images,
        }
        spans.end(g.span, f"{request.method} {path}", response.status_code, attributes)
        return response

    app.before_request(begin)
    app.after_request(end)
