"""Let pages of chosen other origins call the API."""

from collections.abc import Mapping
from urllib.parse import urlsplit

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


def cors_headers(method: str, headers: Mapping[str, str], allowed: frozenset[str]) -> Headers:
    """Return what an answer tells browsers: pages of the `allowed` origins may do what the gateway's own may.

    Without credentials: the API knows no cookies, and a page that has a key sends it itself.
    """
    if not allowed:
        return []
    added = [("Vary", "Origin")]
    origin = headers.get("origin")
    if origin and (origin in allowed or EVERY in allowed):
        preflight = method == "OPTIONS" and "access-control-request-method" in headers
        added += [("Access-Control-Allow-Origin", origin), *(OF_PREFLIGHT if preflight else OF_ANSWER)]
    return added
