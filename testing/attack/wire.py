"""Requests as attackers send them: from any address of 127.0.0.0/8, on plain sockets. It imports little."""

import http.client
import socket
from collections.abc import Mapping
from typing import NamedTuple

HERE = "127.0.0.1"
CLOSED = 0  # stands where there is no status, because the connection ended before an answer
JSON, RAW, PNG = "application/json", "application/octet-stream", "image/png"


class Reply(NamedTuple):
    """An answer; names of header fields are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


NO_REPLY = Reply(CLOSED, {}, b"")


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    address: str = HERE,
    seconds: float = 30,
) -> Reply:
    """Send one request from `address` on a connection of its own; return the answer, NO_REPLY where there is none."""
    connection = http.client.HTTPConnection(HERE, port, timeout=seconds, source_address=(address, 0))
    try:
        try:
            connection.request(method, path, body, dict(headers or {}))
        except TimeoutError:
            return NO_REPLY
        except OSError:  # the server may have answered before it had the whole body
            if connection.sock is None:
                return NO_REPLY
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    except (OSError, http.client.HTTPException):
        return NO_REPLY
    finally:
        connection.close()


def bearer(token: str) -> dict[str, str]:
    """Return the header field that bears a token or key, none for an empty one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def head(method: str, path: str, fields: Mapping[str, object] | None = None) -> bytes:
    """Return a request's head as it goes over the wire."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HERE}",
        *(f"{name}: {value}" for name, value in (fields or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def opened(port: int, address: str = HERE, seconds: float = 10) -> socket.socket:
    """Return a connection from `address`; raise OSError where there is none to be had."""
    return socket.create_connection((HERE, port), timeout=seconds, source_address=(address, 0))


def status_of(received: bytes) -> int:
    """Return the status with which received bytes begin, CLOSED where they hold none."""
    words = received.split(b" ", 2)
    return int(words[1]) if len(words) == 3 and words[0].startswith(b"HTTP/") and words[1].isdigit() else CLOSED
