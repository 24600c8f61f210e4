"""Know who calls: ask for an API key where there are any, and hold each client to its rate."""

import math

from serving.gateway.access.api_keys import Scope, accepted
from serving.gateway.access.proxies import network_of
from serving.gateway.access.rate_limit import RateLimit
from serving.gateway.errors import TooManyRequests, Unauthorized
from serving.gateway.settings import Settings
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.web.request import Request

KEYED = ("predict.predict", "compare.compare")  # endpoints
UNLIMITED = ("health.healthz", "health.readyz", "health.metrics")  # monitoring calls these
PIXELS_A_REQUEST = 1_000_000  # to decode, each of which counts as one more request
STATIC = "static"  # the parts of a page come in a burst


class Admission:
    """Lets a request to an endpoint pass, or raises a GatewayError."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Ask for a key and hold to a rate as `settings` say, which may be neither."""
        self._known = settings.api_keys
        self._closed = Scope.PREDICT in self._known.values()  # keys of labellers alone close nothing
        self._rate = settings.rate_limit
        self._limit = RateLimit(self._rate / 60, settings.rate_burst) if self._rate else None
        self._metrics = metrics

    def admit(self, request: Request, endpoint: str) -> None:
        """Raise Unauthorized for a missing key, TooManyRequests for a client that has used up its rate."""
        if not (self._known or self._limit) or request.method == "OPTIONS":  # browsers ask, without a key, first
            return
        key = accepted(bearer(request), self._known) if self._known else None
        if self._limit and endpoint not in UNLIMITED and endpoint.rpartition(".")[2] != STATIC:
            self._take(self._limit, key or network_of(request.client))
        if self._closed and key is None and endpoint in KEYED:
            self._metrics.refused("key")
            raise Unauthorized("Send the header 'Authorization: Bearer KEY' with a key that this gateway knows.")

    def client(self, request: Request) -> str:
        """Return the text by which a client is known: the digest of its key, else its network."""
        key = accepted(bearer(request), self._known) if self._known else None
        return key or network_of(request.client)

    def charge(self, request: Request, pixels: int) -> None:
        """Charge the client's rate, if there is one, for the pixels that a request has to decode."""
        if self._limit:
            self._limit.charge(self.client(request), pixels // PIXELS_A_REQUEST)

    def _take(self, limit: RateLimit, client: str) -> None:
        if wait := limit.take(client):
            self._metrics.refused("rate")
            error = TooManyRequests(f"A client may make {self._rate:,} requests a minute; wait a little.")
            error.retry_after = math.ceil(wait)
            raise error


def bearer(request: Request) -> str:
    """Return the request's bearer token, an empty text if there is none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""
