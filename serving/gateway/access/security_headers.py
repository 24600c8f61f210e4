"""Tell browsers what an answer may not do, on every answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

DATA = ("application/json", "application/problem+json")  # as JSON is sent here: it shows and runs nothing
OF_DATA: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
OF_PAGES: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


def secured(application: WSGIApplication) -> WSGIApplication:
    """Return a WSGI application that adds the headers to the answers of another."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: Headers, *others: Any) -> Any:
            kind = next((value for name, value in headers if name == "Content-Type"), "")
            return start_response(status, headers + (OF_DATA if kind in DATA else OF_PAGES), *others)

        return application(environ, start)

    return answer
