"""The errors a request can end in; each carries the status and the words of its answer."""

from collections.abc import Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One place of the request that is to blame, as a JSON pointer, and what is wrong there."""

    pointer: str
    detail: str


class GatewayError(Exception):
    """An answer other than success: `status`, `title`, and what happened and what to do about it in `detail`."""

    status = 500
    title = "Internal Server Error"
    retry_after: int | None = None  # seconds

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)


class BadRequest(GatewayError):
    """The body is not what its content type says."""

    status, title = 400, "Bad Request"


class NotFound(GatewayError):
    """Something named in the request does not exist."""

    status, title = 404, "Not Found"


class Unauthorized(GatewayError):
    """The call is for those who send what they were given: `Authorization: Bearer …`."""

    status, title = 401, "Unauthorized"


class Conflict(GatewayError):
    """What is asked for does not go with what is there."""

    status, title = 409, "Conflict"


class TooLarge(GatewayError):
    """The body, an image or the number of images is over a limit."""

    status, title = 413, "Content Too Large"


class UnsupportedMediaType(GatewayError):
    """The content type is none of those that are read."""

    status, title = 415, "Unsupported Media Type"


class Unprocessable(GatewayError):
    """The request is well formed but says something that cannot be done."""

    status, title = 422, "Unprocessable Content"


class TooManyRequests(GatewayError):
    """More is asked for than the gateway accepts, of all or of one client."""

    status, title, retry_after = 429, "Too Many Requests", 1


class BadGateway(GatewayError):
    """The model server answered something that cannot be used."""

    status, title = 502, "Bad Gateway"


class Unavailable(GatewayError):
    """Something that the answer needs is not there now."""

    status, title, retry_after = 503, "Service Unavailable", 1


class DeadlineExceeded(GatewayError):
    """The model server did not answer in time."""

    status, title = 504, "Gateway Timeout"


def pointer(*path: str | int) -> str:
    """Return `path` as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
