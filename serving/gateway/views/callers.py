"""Know who calls: ask for an API key where there are any, and hold each client to its rate."""

import ipaddress
import math

from flask import Flask, request

from serving.gateway.api_keys import accepted, digests
from serving.gateway.errors import TooManyRequests, Unauthorized
from serving.gateway.rate_limit import RateLimit
from serving.gateway.settings import Settings
from serving.gateway.views.context import gateway

OF_KEYS = ("predict.predict", "compare.compare")
UNLIMITED = ("health.healthz", "health.readyz", "health.metrics")  # what watches the gateway calls these
STATIC = "static"  # what a page is made of comes in a burst
HOST_BITS = 64  # of an IPv6 address: whoever has one has all that differ in these


def register(app: Flask, settings: Settings) -> None:
    """Make `app` do what of this `settings` ask for."""
    known = digests(settings.api_keys)
    limit = RateLimit(settings.rate_limit / 60, settings.rate_burst) if settings.rate_limit else None

    def admit() -> None:
        if request.method == "OPTIONS":  # browsers ask, without a key, before they send
            return
        key = accepted(bearer(), known) if known else None
        endpoint = request.endpoint or ""
        if limit and endpoint not in UNLIMITED and endpoint.rpartition(".")[2] != STATIC:
            _hold(limit, settings, key or _network(request.environ.get("REMOTE_ADDR", "")))
        if known and key is None and endpoint in OF_KEYS:
            gateway().metrics.refused("key")
            raise Unauthorized("Send the header 'Authorization: Bearer KEY' with a key that this gateway knows.")

    if known or limit:
        app.before_request(admit)


def bearer() -> str:
    """Return the request's bearer token, empty if there is none."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _hold(limit: RateLimit, settings: Settings, client: str) -> None:
    if wait := limit.take(client):
        gateway().metrics.refused("rate")
        error = TooManyRequests(f"A client may make {settings.rate_limit:,} requests a minute; wait a little.")
        error.retry_after = math.ceil(wait)
        raise error


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket has none
        return address
    return address if parsed.version == 4 else str(int(parsed) >> HOST_BITS)
