"""Answer what is no proper HTTP request: it reaches no application, and is told why as any other is."""

import logging
from typing import NamedTuple

import orjson
from gunicorn.http import errors

from serving.gateway.access.security_headers import OF_DATA

logger = logging.getLogger(__name__)

LONGEST = 200  # characters of what the parser says, which quotes the client


class TooSlow(Exception):
    """The client did not send what it announced in the time that it has; the text says so."""


class Refusal(NamedTuple):
    """A status and its reason phrase."""

    status: int
    title: str


OF_CHUNKS = (errors.InvalidChunkSize, errors.InvalidChunkExtension, errors.ChunkMissingTerminator)
OF_BODIES = (TooSlow, *OF_CHUNKS)
# The first that fits the exception.
REFUSALS: tuple[tuple[tuple[type[Exception], ...], Refusal], ...] = (
    ((TooSlow,), Refusal(408, "Request Timeout")),
    ((errors.LimitRequestLine,), Refusal(414, "URI Too Long")),
    ((errors.ExpectationFailed,), Refusal(417, "Expectation Failed")),
    ((errors.LimitRequestHeaders,), Refusal(431, "Request Header Fields Too Large")),
    ((errors.UnsupportedTransferCoding,), Refusal(501, "Not Implemented")),
    ((errors.ParseException, *OF_CHUNKS), Refusal(400, "Bad Request")),
)
SURPRISE = Refusal(500, "Internal Server Error")


def refuse(error: BaseException, client: str) -> bytes:
    """Return the whole response to a request that ended in `error`, and log it."""
    refusal = next((refusal for kinds, refusal in REFUSALS if isinstance(error, kinds)), SURPRISE)
    if refusal is SURPRISE:
        logger.error("unexpected error", exc_info=error, extra={"client": client})
        detail = "The gateway failed; its log says why."
    else:
        detail = f"This is no request that the gateway reads: {error}"[:LONGEST]
        logger.warning("refused", extra={"client": client, "status": refusal.status, "problem": detail})
    problem = {"type": "about:blank", "title": refusal.title, "status": refusal.status, "detail": detail}
    body = orjson.dumps(problem)
    headers = [
        ("Connection", "close"),
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        *OF_DATA,
    ]
    head = [f"HTTP/1.1 {refusal.status} {refusal.title}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(head).encode() + body
