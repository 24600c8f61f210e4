"""Admit requests on their head: to our hosts, from our pages, by callers who may, within their rates."""

import math

from serving.gateway.access.callers import SHORTEST_TOKEN, Callers, bearer
from serving.gateway.access.cors import is_foreign, is_loaded_elsewhere
from serving.gateway.access.hosts import Hosts
from serving.gateway.access.proxies import network_of
from serving.gateway.access.rate_limit import RateLimit
from serving.gateway.access.roles import Role, closed_roles, refusal, role_of
from serving.gateway.errors import Forbidden, GatewayError, TooManyRequests, Unauthorized
from serving.gateway.settings import Settings
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.web.request import SHOWN, Request

# Endpoints: probes call some at all times, and the parts of a page come in a burst.
UNLIMITED = (
    "health.healthz", "health.readyz", "static", "swagger.static", "open_inference.live", "open_inference.ready",
    "open_inference.model_ready", "open_inference.model_version_ready",
)  # fmt: skip
PIXELS_A_REQUEST = 1_000_000  # to decode, each of which counts as one more request


class Admission:
    """Lets a request to an endpoint pass, or raises a GatewayError."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Ask for keys and hold to rates as `settings` say, which may be neither."""
        self._hosts = Hosts(settings.hosts, settings.host)
        self._origins = settings.cors_origins
        self._callers = Callers(settings)
        self._closed = closed_roles(settings.api_keys)
        self._rate = settings.rate_limit
        self._limit = RateLimit(self._rate / 60, settings.rate_burst) if self._rate else None
        self._most_failed = settings.failed_logins
        self._failed = RateLimit(self._most_failed / 60, self._most_failed)
        self._metrics = metrics

    def admit(self, request: Request, endpoint: str) -> None:
        """Note the caller in `request`; raise a GatewayError for one who may not call `endpoint`, or not now.

        `endpoint` is Flask's name, empty for an unknown path.
        """
        try:
            self._hosts.check(request)
        except GatewayError:
            self._metrics.refused("host")
            raise
        if is_foreign(request.method, request.headers, self._origins):
            self._metrics.refused("origin")
            raise _foreign(request.headers["origin"])
        # Browsers ask by OPTIONS, without a key, first.
        role = Role.ANYONE if request.method == "OPTIONS" else role_of(endpoint)
        if role is not Role.ANYONE and is_loaded_elsewhere(request.headers, self._origins):
            self._metrics.refused("origin")
            raise Forbidden("A page of another site may not load this. Name its origin in GATEWAY_CORS_ORIGINS.")
        if token := bearer(request):
            request.caller, request.roles = self._callers.find(token)
        if self._limit and endpoint not in UNLIMITED and (wait := self._limit.take(request.account)):
            raise self._too_many(
                "rate", f"A client may make {self._rate:,} requests a minute (GATEWAY_RATE_LIMIT); wait a little.", wait
            )
        if role in self._closed and role not in request.roles:
            self.count_guess(request)
            self._metrics.refused("key")
            raise self._refusal(role, request)

    def count_guess(self, request: Request) -> None:
        """Count a wrong token on a request that is to be refused for it; raise TooManyRequests after too many.

        Known tokens never come here, so nobody locks them out. That is enough: 16 random characters cannot be guessed
        at any rate that a worker answers. The limit bounds load and noise in the log, and tells operators.
        """
        if request.caller or not bearer(request):
            return
        if wait := self._failed.take(network_of(request.client)):
            detail = (
                f"More than {self._most_failed:,} wrong tokens or keys came from here in a minute "
                "(GATEWAY_FAILED_LOGINS); wait a little, or send a valid one."
            )
            raise self._too_many("login", detail, wait)

    def charge(self, request: Request, pixels: int) -> None:
        """Charge the client's rate, if there is one, for the pixels that a request has to decode."""
        if self._limit:
            self._limit.charge(request.account, pixels // PIXELS_A_REQUEST)

    def _too_many(self, reason: str, detail: str, wait: float) -> TooManyRequests:
        self._metrics.refused(reason)
        error = TooManyRequests(detail)
        error.retry_after = math.ceil(wait)
        return error

    def _refusal(self, role: Role, request: Request) -> GatewayError:
        if role is Role.ADMINISTRATOR and not self._callers.administrators:
            return Unauthorized(
                f"Nobody may do this: the gateway has no GATEWAY_ADMIN_TOKEN of {SHORTEST_TOKEN} characters or more. "
                "Set it and restart."
            )
        return refusal(role, known=bool(request.caller))


def _foreign(origin: str) -> Forbidden:
    return Forbidden(
        f"A page of the origin {origin[:SHOWN]!r} may not call this. Name it in GATEWAY_CORS_ORIGINS; where it is "
        "the gateway's own page, have the proxy pass the Host header on."
    )
