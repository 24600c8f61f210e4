"""Name the kinds of errors in which a request can end; their docstrings document the API.

`web/problems.py` maps each kind to its HTTP status.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self


class Fault(NamedTuple):
    """One faulty place of a request, as a JSON pointer, and its fault in words."""

    pointer: str
    detail: str


class GatewayError(Exception):
    """An answer other than success: `detail` says what happened and the remedy, `faults` name the places.

    `retry_after` is in seconds; None leaves it to the kind of error. `called` is false where a circuit breaker refused
    the call to the model server.
    """

    retry_after: int | None = None
    called: bool = True

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)

    def bare(self) -> Self:
        """Return it without traceback and cause, for use as a value.

        Their frames would hold the request, and the error itself, until the next collection of garbage.
        """
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class BadRequest(GatewayError):
    """The body does not parse as its Content-Type. Send a complete body of that type."""


class Unauthorized(GatewayError):
    """The request bears no valid token or key. Send `Authorization: Bearer TOKEN`."""


class Forbidden(GatewayError):
    """The key is known, and may not do this; or a page of another origin sends the request. `detail` has the remedy."""


class NotFound(GatewayError):
    """The request names something that does not exist. `detail` lists the existing names."""


class Conflict(GatewayError):
    """The request conflicts with the current state. Read the state again, then decide."""


class TooLarge(GatewayError):
    """The body, an image or the number of images exceeds a limit. Send less in one request."""


class Misdirected(GatewayError):
    """The Host header names a host at which the gateway does not answer. Name it in GATEWAY_HOSTS."""


class UnsupportedMediaType(GatewayError):
    """The gateway does not read this Content-Type, Content-Encoding or image format. `detail` lists those it reads."""


class Unprocessable(GatewayError):
    """The body or a parameter has an unusable value. Mend the places in `errors`."""


class TooManyRequests(GatewayError):
    """The gateway, or this client's rate, is at its limit. Send the request again after `Retry-After` seconds."""


class BadGateway(GatewayError):
    """The model server refused the request or gave an unusable answer. See the gateway's log."""


class Unavailable(GatewayError):
    """The model server, the store or a variant is unavailable. Send the request again after `Retry-After` seconds."""


class NotLoaded(Unavailable):
    """The model server has not loaded the variant yet. Send the request again after `Retry-After` seconds."""


class NotDecoded(Unavailable):
    """The images were not decoded in time. Send smaller images, or fewer in one request."""


class DeadlineExceeded(GatewayError):
    """The model server missed the deadline. Send the request again, or raise GATEWAY_DEADLINE_MS."""


def pointer(*path: str | int) -> str:
    """Return `path` as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
