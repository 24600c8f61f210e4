"""Connections that go on sending a body after its answer."""

import selectors
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from testing.attack.attackers import PROCESSES, Attackers
from testing.attack.gateways import INTRUDER
from testing.attack.seen import Seen
from testing.attack.wire import CLOSED, RAW, bearer, head, opened, status_of
from testing.running_gateway import Gateway

ADDRESS = "127.0.2.1"
BLOCK = bytes(65_536)
CHUNK = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)
MOST_SENT = 64 * 2**20  # bytes on one connection
MOST_AFTER = 16 * 2**20  # bytes after the answer, in sockets' buffers too
MOST_SECONDS = 4.0  # that a connection may stay open after its answer
UNANSWERED_SECONDS, AFTER_SECONDS = 10.0, 5.0  # after which the attack gives a connection up
HUGE = {"Content-Length": 2**40, "Content-Type": RAW}
CHUNKED = {"Transfer-Encoding": "chunked", "Content-Type": RAW}
ALLOWED = {401, 413, 429, CLOSED}


class Case(NamedTuple):
    """A request whose body does not end."""

    name: str
    path: str
    fields: Mapping[str, object]


class Sent(NamedTuple):
    """A connection's end: the answer, bytes and seconds after it; `open` where the server did not close it."""

    name: str
    status: int
    bytes_after: int
    seconds_after: float
    open: bool


CASES = [
    Case(f"{path}, {form}, {caller}", path, {**fields, **bearer(token)})
    for path in ("/predict", "/compare", "/feedback")
    for form, fields in (("announced", HUGE), ("chunked", CHUNKED))
    for caller, token in (("a client", INTRUDER), ("nobody", ""), ("a wrong key", "wrong"))
]


def attack(gateway: Gateway, attackers: Attackers, seconds: float, cases: list[Case] = CASES) -> Seen:
    """Send on, on several connections at once."""
    seen = Seen()
    work = [(gateway.port, cases[at::PROCESSES], seconds) for at in range(PROCESSES)]
    for sent in (each for sents in attackers.run(flood, work) for each in sents):
        seen.expect_status(sent.status, ALLOWED, sent.name)
        after = f"{sent.name}: {sent.bytes_after / 1e6:.0f} MB and {sent.seconds_after:.1f} s after its {sent.status}"
        seen.expect(not sent.open and sent.bytes_after <= MOST_AFTER, after)
        if sent.seconds_after > MOST_SECONDS:
            seen.slow.append(after)
    return seen


def flood(port: int, cases: list[Case], seconds: float) -> list[Sent]:
    """Try each case once, then again until the time is over."""
    until, found = time.monotonic() + seconds, list[Sent]()
    with ThreadPoolExecutor(len(cases)) as pool:
        while not found or time.monotonic() < until:
            found += pool.map(_send_on, [port] * len(cases), cases)
    return found


def _send_on(port: int, case: Case) -> Sent:
    block = CHUNK if "Transfer-Encoding" in case.fields else BLOCK
    sent, before, answered, received = 0, 0, 0.0, b""
    until = time.monotonic() + UNANSWERED_SECONDS
    try:
        with opened(port, ADDRESS) as connection, selectors.DefaultSelector() as selector:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(block))
            connection.sendall(head("POST", case.path, case.fields))
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
            rest = b""
            while sent < MOST_SENT and time.monotonic() < until:
                events = selector.select(0.1)
                if any(event & selectors.EVENT_READ for _, event in events):
                    received += (news := connection.recv(65_536))
                    if news and not answered:
                        answered, before = time.monotonic(), sent
                        until = answered + AFTER_SECONDS
                    elif not news:
                        selector.modify(connection, selectors.EVENT_WRITE)
                if any(event & selectors.EVENT_WRITE for _, event in events):
                    rest = rest or block
                    count = connection.send(rest)
                    sent, rest = sent + count, rest[count:]
            still_open = True
    except OSError:  # the server has closed it
        still_open = False
    now = time.monotonic()
    return Sent(case.name, status_of(received), sent - before, now - (answered or now), still_open)
