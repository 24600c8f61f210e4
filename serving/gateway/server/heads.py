"""Rewrite heads that are valid, and that uvicorn would not serve as they are."""

from collections.abc import Sequence

import httptools

Fields = Sequence[tuple[bytes, bytes]]


def split_target(target: bytes, fields: Fields) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return path and query of a whole URL, and the fields with its host, which counts (RFC 9112, section 3.2.2)."""
    url = httptools.parse_url(target)
    host = (url.host or b"") + (b":%d" % url.port if url.port else b"")
    path = (url.path or b"/") + (b"?" + url.query if url.query else b"")
    return path, [(b"host", host), *(field for field in fields if field[0] != b"host")]


def without_upgrade(line: bytes, fields: Fields) -> bytes:
    """Return a head whose request asks for no other protocol, up to its last line."""
    head = [line]
    for name, value in fields:
        if name == b"connection":
            tokens = [token.strip() for token in value.lower().split(b",")]
            value = b", ".join(token for token in tokens if token not in (b"upgrade", b"http2-settings"))
        if name != b"upgrade" and (value or name != b"connection"):
            head.append(name + b": " + value)
    return b"\r\n".join([*head, b"", b""])
