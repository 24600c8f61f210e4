"""Tell browsers what an answer may not do, on every answer."""

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


def security_headers(content_type: str) -> Headers:
    """Return the headers of an answer of `content_type`."""
    return OF_DATA if content_type in DATA else OF_PAGES
