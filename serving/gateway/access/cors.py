"""Let pages of chosen other origins call the API.

Ours, since flask-cors misses predictions, which bypass Flask, and starlette would be a dependency for these lines.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

Headers = list[tuple[str, str]]

EVERY = "*"
LONGEST = 300  # characters of an origin: a name has at most 253
READING = ("GET", "HEAD", "OPTIONS")  # methods that change nothing
PORTS = {"http": ":80", "https": ":443"}
OF_PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, If-None-Match, Inference-Header-Content-Length, Traceparent, X-Request-Id, "
        "X-Unit-Id",
    ),
    ("Access-Control-Max-Age", "600"),
]
OF_ANSWER: Headers = [
    (
        "Access-Control-Expose-Headers",
        "ETag, Inference-Header-Content-Length, Retry-After, X-Request-Id, X-Variant, X-Fallback-For",
    )
]


def origins(text: str) -> frozenset[str]:
    """Read origins, such as https://example.com:8443, separated by commas, or `*`; raise ValueError for others.

    Browsers send them in small letters, without the port that their scheme has anyway; so they are returned.
    """
    given = frozenset(each.strip() for each in text.split(",") if text)
    for origin in given - {EVERY}:
        parts = urlsplit(origin)
        if f"{parts.scheme}://{parts.netloc}" != origin or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(origin)
    return frozenset(origin.lower().removesuffix(PORTS.get(urlsplit(origin).scheme, " ")) for origin in given)


def is_foreign(method: str, headers: Mapping[str, str], allowed: frozenset[str]) -> bool:
    """Say whether a request that may change something comes from a page neither of ours nor of the `allowed` origins.

    Browsers send some POSTs without asking first. Our page's origin has the host and port of the Host header; its
    scheme may be either, since a proxy may end TLS.
    """
    origin = headers.get("origin")
    if origin is None or method in READING or origin in allowed or EVERY in allowed:
        return False
    scheme, _, authority = origin.lower().partition("://")
    return not authority or authority != headers.get("host", "").lower().removesuffix(PORTS.get(scheme, ""))


def is_loaded_elsewhere(headers: Mapping[str, str], allowed: frozenset[str]) -> bool:
    """Say whether a page of another site loads this, as an image for instance; following a link is no loading.

    Browsers send such requests without asking, and without an Origin. Programs send no Sec-Fetch fields.
    """
    if headers.get("sec-fetch-site") != "cross-site" or headers.get("sec-fetch-mode") == "navigate":
        return False
    return EVERY not in allowed and headers.get("origin") not in allowed


def cors_headers(method: str, headers: Mapping[str, str], allowed: frozenset[str]) -> Headers:
    """Return the headers that let pages of the `allowed` origins read an answer.

    Without credentials: the API uses no cookies, and a page sends its key itself.
    """
    if not allowed:
        return []
    added = [("Vary", "Origin")]
    origin = headers.get("origin")
    if origin and len(origin) <= LONGEST and (origin in allowed or EVERY in allowed):
        preflight = method == "OPTIONS" and "access-control-request-method" in headers
        added += [("Access-Control-Allow-Origin", origin), *(OF_PREFLIGHT if preflight else OF_ANSWER)]
    return added
