"""A load generator for HTTP requests on several connections, at little cost of its own."""

import selectors
import socket
import time
from collections.abc import Iterator

LARGEST_ANSWER = 65_536


def requests_a_second(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> float:
    """Return how many answers of status 200 come in a second from 127.0.0.1; raise RuntimeError for any other."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, connection)
        connection.sendall(next(requests))
    answers, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for key, _ in selector.select(timeout=1):
            head, _, body = key.data.recv(LARGEST_ANSWER).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"the gateway answered {(head + body)[:500]!r}")
            missing = content_length(head) - len(body)
            while missing > 0:
                missing -= len(key.data.recv(LARGEST_ANSWER))
            answers += 1
            key.data.sendall(next(requests))
    passed = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.data.close()
    return answers / passed


def post(path: str, body: bytes, content_type: str, *fields: str, host: str = "127.0.0.1") -> bytes:
    """Return a POST request as it goes over the wire; `fields` are further header fields, such as "X-Unit-Id: 7"."""
    head = [
        f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}",
        *fields, "", "",
    ]  # fmt: skip
    return "\r\n".join(head).encode() + body


def content_length(head: bytes) -> int:
    """Return how long the body after a response's head is, in bytes."""
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
