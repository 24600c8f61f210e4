"""Know who calls: ask for an API key where there are any, and hold each client to its rate."""

import ipaddress
import math
from collections.abc import Callable

from flask import Flask, request

from serving.gateway.access.api_keys import accepted
from serving.gateway.access.rate_limit import RateLimit
from serving.gateway.errors import TooManyRequests, Unauthorized
from serving.gateway.server.wsgi import Environ
from serving.gateway.settings import Settings
from serving.gateway.telemetry.metrics import Metrics

OF_KEYS = ("predict.predict", "compare.compare")
UNLIMITED = ("health.healthz", "health.readyz", "health.metrics")  # what watches the gateway calls these
STATIC = "static"  # what a page is made of comes in a burst

HOST_BITS = 64  # of an IPv6 address: whoever has one has all that differ in these

Admit = Callable[[Environ, str], None]


def admission(settings: Settings, metrics: Metrics) -> Admit | None:
    """Return what lets a request to an endpoint pass, or raises a GatewayError; None if `settings` ask for nothing."""
    known = settings.api_keys
    limit = RateLimit(settings.rate_limit / 60, settings.rate_burst) if settings.rate_limit else None

    def admit(environ: Environ, endpoint: str) -> None:
        if environ["REQUEST_METHOD"] == "OPTIONS":  # browsers ask, without a key, before they send
            return
        key = accepted(bearer(environ), known) if known else None
        if limit and endpoint not in UNLIMITED and endpoint.rpartition(".")[2] != STATIC:
            client = key or _network(environ.get("REMOTE_ADDR", ""))
            if wait := limit.take(client):
                metrics.refused("rate")
                error = TooManyRequests(f"A client may make {settings.rate_limit:,} requests a minute; wait a little.")
                error.retry_after = math.ceil(wait)
                raise error
        if known and key is None and endpoint in OF_KEYS:
            metrics.refused("key")
            raise Unauthorized("Send the header 'Authorization: Bearer KEY' with a key that this gateway knows.")

    return admit if known or limit else None


def register(app: Flask, admit: Admit) -> None:
    """Have `app` admit only whom `admit` does."""
    app.before_request(lambda: admit(request.environ, request.endpoint or ""))


def bearer(environ: Environ) -> str:
    """Return the request's bearer token, empty if there is none."""
    scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket has none
        return address
    return address if parsed.version == 4 else str(int(parsed) >> HOST_BITS)
