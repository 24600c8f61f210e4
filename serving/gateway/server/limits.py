"""The limits of one worker, and the answers to requests that break them."""

from dataclasses import dataclass
from enum import Enum

from serving.gateway.access.proxies import Network
from serving.gateway.settings import Settings

MOST_HEAD = 65_536  # bytes, however many fields there are
MALFORMED = "This is no request that the gateway reads: "


@dataclass(frozen=True)
class Limits:
    """The limits of one worker; sizes in bytes, times in seconds."""

    line: int
    fields: int
    field: int
    buffered: int  # of all bodies together
    idle_seconds: float  # without a request, or with a head that is not whole
    client_seconds: float  # to send a body, or to take an answer
    connections: int
    connections_per_client: int
    proxies: tuple[Network, ...]  # whose connections are those of many clients

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits that `settings` give; a body of the largest size has room in the half of one client."""
        largest = max(settings.max_body_bytes, settings.max_other_body_bytes) + MOST_HEAD
        return cls(
            settings.max_line_bytes, settings.max_headers, settings.max_header_bytes,
            max(settings.max_buffered_bytes, 2 * largest),
            settings.keepalive_seconds, settings.client_seconds, settings.connections,
            min(settings.connections_per_client, settings.connections), settings.trusted_proxies,
        )  # fmt: skip

    @property
    def head(self) -> int:
        """Return the most bytes of a head."""
        return min(self.line + self.fields * self.field, MOST_HEAD)


class Refusal(Enum):
    """The ways in which a request ends before the application sees it: status, reason phrase, name in the metrics."""

    MALFORMED = 400, "Bad Request", "malformed"
    LATE = 408, "Request Timeout", "malformed"
    BODY_TOO_LARGE = 413, "Content Too Large", "body"
    LINE_TOO_LONG = 414, "URI Too Long", "malformed"
    HEAD_TOO_LARGE = 431, "Request Header Fields Too Large", "malformed"
    TOO_MANY_CONNECTIONS = 503, "Service Unavailable", "connections"
    TOO_MANY_BYTES = 503, "Service Unavailable", "buffered"

    @property
    def status(self) -> int:
        """Return the status code."""
        return self.value[0]

    @property
    def phrase(self) -> str:
        """Return the reason phrase."""
        return self.value[1]

    @property
    def reason(self) -> str:
        """Return the name in the metrics."""
        return self.value[2]


class Refused(Exception):
    """A request is refused, and why."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal
        self.detail = detail


def malformed(detail: str) -> Refused:
    """Return the refusal of a request that cannot be read."""
    return Refused(Refusal.MALFORMED, MALFORMED + detail)


def head_too_large(detail: str) -> Refused:
    """Return the refusal of a request with too large a head."""
    return Refused(Refusal.HEAD_TOO_LARGE, MALFORMED + detail)
