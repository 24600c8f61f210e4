"""Answer every error as an RFC 9457 problem."""

import logging
from collections.abc import Sequence
from typing import Any, NoReturn

from flask import request
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from serving.gateway import errors
from serving.gateway.errors import Fault, GatewayError, Unprocessable, pointer
from serving.gateway.web.context import RequestRecord, record
from serving.gateway.web.replies import Reply, as_json

logger = logging.getLogger(__name__)

MIMETYPE = "application/problem+json"
SCHEMA = {"$ref": "#/components/schemas/Problem"}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before the next try", "schema": {"type": "integer"}}}

# How asking models about images can end.
OF_PREDICTIONS = (
    errors.BadRequest,
    errors.Unauthorized,
    errors.NotFound,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Unprocessable,
    errors.TooManyRequests,
    errors.BadGateway,
    errors.Unavailable,
    errors.DeadlineExceeded,
)


class FaultModel(BaseModel):
    """One place that is to blame."""

    pointer: str = Field(description="JSON pointer into the body, or /query/NAME, or /header/NAME")
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    errors: list[FaultModel] | None = None


def problems(*kinds: type[GatewayError]) -> dict[str | int, Any]:
    """Return the documentation of the problems of these kinds, as flask-openapi's `responses` take it."""
    content = {"content": {MIMETYPE: {"schema": SCHEMA}}}
    documented: dict[str | int, Any] = {"default": {"description": "Any other error", **content}}
    for kind in kinds:
        text = (kind.__doc__ or "").strip()
        documented[kind.status] = {"description": text, **content}
        if kind.retry_after:
            documented[kind.status]["headers"] = RETRY_AFTER
    return documented


def register(app: OpenAPI) -> None:
    """Make `app` answer every exception as a problem."""
    app.register_error_handler(Exception, lambda error: problem(error, record(), request.path).response())


def invalid_parameters(error: ValidationError) -> NoReturn:
    """Raise Unprocessable for what pydantic found wrong in the header or the query, as its model's title says."""
    faults = [
        Fault(
            pointer(error.title, *found["loc"]),
            "There is no such parameter" if found["type"] == "extra_forbidden" else found["msg"],
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    raise Unprocessable(f"{faults[0].pointer}: {faults[0].detail}.", faults)


def problem(error: Exception, done: RequestRecord, path: str) -> Reply:
    """Return the problem that `error`, in which a request to `path` ended, is to the client, and record its detail.

    What nobody has expected is logged.
    """
    if isinstance(error, GatewayError):
        return _answer(error, done)
    if isinstance(error, HTTPException):
        return _translated(error, done, path)
    logger.error("unexpected error", exc_info=error, extra={"request_id": done.id})
    return _answer(GatewayError("The gateway failed; its log says why, under this request's id."), done)


def reply(status: int, title: str, detail: str, faults: Sequence[Fault] = ()) -> Reply:
    """Return a problem as it is sent."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if faults:
        body["errors"] = [fault._asdict() for fault in faults]
    return as_json(body, status, MIMETYPE)


def _answer(error: GatewayError, done: RequestRecord) -> Reply:
    done.problem = error.detail
    answer = reply(error.status, error.title, error.detail, error.faults)
    if error.retry_after is not None:
        answer.headers.append(("Retry-After", str(error.retry_after)))
    if isinstance(error, errors.Unauthorized):
        answer.headers.append(("WWW-Authenticate", "Bearer"))
    return answer


def _translated(error: HTTPException, done: RequestRecord, path: str) -> Reply:
    """Answer one of Flask's own errors, such as an unknown path or a method that the path does not have."""
    detail = error.description or error.name
    if isinstance(error, NotFound):
        detail = f"There is nothing at {path}; /docs shows what there is."
    elif isinstance(error, RequestEntityTooLarge):
        detail = "The body is larger, or has more parts, than GATEWAY_MAX_BODY_BYTES and GATEWAY_MAX_INSTANCES allow."
    translated = GatewayError(detail)
    translated.status, translated.title = error.code or 500, error.name
    answer = _answer(translated, done)
    answer.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return answer
