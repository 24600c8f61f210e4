"""Answer every error as an RFC 9457 problem."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from flask import request
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, Field, ValidationError
from werkzeug import exceptions

from serving.gateway import errors
from serving.gateway.errors import Fault, GatewayError, Unprocessable, pointer
from serving.gateway.web.context import RequestRecord, record
from serving.gateway.web.error_members import protocol_members
from serving.gateway.web.replies import Reply, as_json

logger = logging.getLogger(__name__)

MIMETYPE = "application/problem+json"
SCHEMA = {"$ref": "#/components/schemas/Problem"}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before the next try", "schema": {"type": "integer"}}}
MOST_FAULTS = 20  # in one answer
MOST_CHARACTERS = 2000  # of a text in one


class Kind(NamedTuple):
    """The HTTP side of a kind of error; `retry_after` is in seconds."""

    status: int
    title: str
    retry_after: int | None = None


KINDS: dict[type[GatewayError], Kind] = {
    GatewayError: Kind(500, "Internal Server Error"),
    errors.BadRequest: Kind(400, "Bad Request"),
    errors.Unauthorized: Kind(401, "Unauthorized"),
    errors.Forbidden: Kind(403, "Forbidden"),
    errors.NotFound: Kind(404, "Not Found"),
    errors.Conflict: Kind(409, "Conflict"),
    errors.TooLarge: Kind(413, "Content Too Large"),
    errors.UnsupportedMediaType: Kind(415, "Unsupported Media Type"),
    errors.Misdirected: Kind(421, "Misdirected Request"),
    errors.Unprocessable: Kind(422, "Unprocessable Content"),
    errors.TooManyRequests: Kind(429, "Too Many Requests", retry_after=1),
    errors.BadGateway: Kind(502, "Bad Gateway"),
    errors.Unavailable: Kind(503, "Service Unavailable", retry_after=1),
    errors.NotDecoded: Kind(503, "Service Unavailable", retry_after=1),
    errors.NotLoaded: Kind(503, "Service Unavailable", retry_after=1),
    errors.DeadlineExceeded: Kind(504, "Gateway Timeout"),
}

# The kinds of errors in which a prediction can end.
OF_PREDICTIONS = (
    errors.BadRequest,
    errors.Unauthorized,
    errors.Forbidden,
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
    """One faulty place of the request."""

    pointer: str = Field(description="JSON pointer into the body, or /query/NAME, or /header/NAME")
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    errors: list[FaultModel] | None = None
    error: str | None = Field(None, description="`detail` once more, under /v2, where its clients read it")
    key: str | None = Field(None, description="Under /ofrep: the flag")
    errorCode: str | None = Field(None, description="Under /ofrep: the protocol's code, such as FLAG_NOT_FOUND")
    errorDetails: str | None = Field(None, description="Under /ofrep: `detail` once more")


def problems(*kinds: type[GatewayError]) -> dict[str | int, Any]:
    """Document the problems of these kinds as flask-openapi's `responses`."""
    content = {"content": {MIMETYPE: {"schema": SCHEMA}}}
    documented: dict[str | int, Any] = {"default": {"description": "Any other error", **content}}
    for kind in kinds:
        status, _, retry_after = KINDS[kind]
        documented[status] = {"description": (kind.__doc__ or "").strip(), **content}
        if retry_after:
            documented[status]["headers"] = RETRY_AFTER
    return documented


def register(app: OpenAPI) -> None:
    """Make `app` answer every exception as a problem."""
    app.register_error_handler(Exception, lambda error: problem(error, record(), request.path).response())


def invalid_parameters(error: ValidationError) -> NoReturn:
    """Raise Unprocessable for the faults that pydantic found in the header or the query."""
    faults = [
        Fault(
            pointer(error.title, *found["loc"]),
            "There is no such parameter" if found["type"] == "extra_forbidden" else found["msg"],
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_FAULTS]
    ]
    raise Unprocessable(f"{faults[0].pointer}: {faults[0].detail}.", faults)


def problem(error: Exception, done: RequestRecord, path: str) -> Reply:
    """Return the problem for `error`, raised by a request to `path`; record its detail, log an unexpected error."""
    if isinstance(error, GatewayError):
        return _of_gateway(error, done, path)
    if isinstance(error, exceptions.HTTPException):
        return _of_flask(error, done, path)
    logger.error("unexpected error", exc_info=error, extra={"request_id": done.id})
    failed = GatewayError("The gateway failed; its log gives the cause under this request's id.")
    return _of_gateway(failed, done, path)


def reply(path: str, status: int, title: str, detail: str, faults: Sequence[Fault] = ()) -> Reply:
    """Return the problem with a request to `path` as an answer; texts of the client in it are cut."""
    detail = _cut(detail)
    faults = [Fault(_cut(fault.pointer), _cut(fault.detail)) for fault in faults]
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if faults:
        body["errors"] = [fault._asdict() for fault in faults]
    body |= protocol_members(path, status, detail, faults)
    return as_json(body, status, MIMETYPE)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _of_gateway(error: GatewayError, done: RequestRecord, path: str) -> Reply:
    done.problem = error.detail
    status, title, retry_after = KINDS[type(error)]
    answer = reply(path, status, title, error.detail, error.faults)
    seconds = retry_after if error.retry_after is None else error.retry_after
    if seconds is not None:
        answer.headers.append(("Retry-After", str(seconds)))
    if isinstance(error, errors.Unauthorized):
        answer.headers.append(("WWW-Authenticate", "Bearer"))
    return answer


def _of_flask(error: exceptions.HTTPException, done: RequestRecord, path: str) -> Reply:
    """Answer one of Flask's own errors, such as an unknown path or a wrong method."""
    detail = error.description or error.name
    if isinstance(error, exceptions.NotFound):
        detail = f"There is nothing at {path}; /docs lists all paths."
    elif isinstance(error, exceptions.RequestEntityTooLarge):
        detail = "The body is larger, or has more parts, than GATEWAY_MAX_BODY_BYTES and GATEWAY_MAX_INSTANCES allow."
    done.problem = detail
    answer = reply(path, error.code or KINDS[GatewayError].status, error.name, detail)
    answer.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return answer
