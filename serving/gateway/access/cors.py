"""Let pages of chosen other origins call the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

EVERY = "*"
OF_PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, Traceparent, X-Request-Id, X-Unit-Id"),
    ("Access-Control-Max-Age", "600"),
]
OF_ANSWER: Headers = [("Access-Control-Expose-Headers", "Retry-After, X-Request-Id, X-Variant, X-Fallback-For")]


def origins(text: str) -> frozenset[str]:
    """Read origins, such as https://example.com:8443, separated by commas, or `*`; raise ValueError for others."""
    given = frozenset(each.strip() for each in text.split(",") if text)
    for origin in given - {EVERY}:
        parts = urlsplit(origin)
        if f"{parts.scheme}://{parts.netloc}" != origin or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(origin)
    return given


def shared(application: WSGIApplication, allowed: frozenset[str]) -> WSGIApplication:
    """Return a WSGI application that allows pages of the `allowed` origins what it allows its own.

    Without credentials: the API knows no cookies, and a page that has a key sends it itself.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        added = [("Vary", "Origin")]
        origin = environ.get("HTTP_ORIGIN")
        if origin and (origin in allowed or EVERY in allowed):
            preflight = environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
            added += [("Access-Control-Allow-Origin", origin), *(OF_PREFLIGHT if preflight else OF_ANSWER)]

        def start(status: str, headers: Headers, *others: Any) -> Any:
            return start_response(status, headers + added, *others)

        return application(environ, start)

    return answer
