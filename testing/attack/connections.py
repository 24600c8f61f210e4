"""Connections that say nothing, or never end what they say, or take no answer."""

import contextlib
import selectors
import socket
import time
from collections import Counter
from random import Random
from typing import NamedTuple

from testing.attack.attackers import Attackers
from testing.attack.gateways import INTRUDER
from testing.attack.seen import Seen
from testing.attack.wire import HERE, RAW, ask, bearer, head, status_of
from testing.running_gateway import Gateway

ONE, OTHERS = "127.0.5.1", [f"127.0.5.{last}" for last in range(2, 12)]
AT_ONCE = 200  # connections that are being opened
ASKS = 10  # new connections of others, meanwhile
ASK_SECONDS = 5.0
IP_BIND_ADDRESS_NO_PORT = 24  # of Linux: the port is chosen when it connects, so that more fit

STARTS = {
    "silent": b"",
    "half": head("POST", "/predict")[:-2] + b"X-Unit-Id: ",
    "body": head("POST", "/predict", {"Content-Type": RAW, "Content-Length": 784, **bearer(INTRUDER)}) + b"\0",
    "reader": head("GET", "/openapi.json") * 20,
}


class Crowd(NamedTuple):
    """Connections of one kind from one address."""

    address: str
    kind: str
    number: int


FULL = (
    (Crowd(ONE, "silent", 5000), Crowd(ONE, "body", 500), Crowd(ONE, "reader", 50)),
    (Crowd(ONE, "half", 5000), Crowd(ONE, "body", 500), *(Crowd(address, "silent", 250) for address in OTHERS)),
)
SHORT = ((Crowd(ONE, "silent", 100), Crowd(ONE, "body", 100)), (Crowd(ONE, "half", 100), Crowd(ONE, "reader", 5)))
BODIES = ((Crowd(ONE, "body", 150),), (Crowd(ONE, "body", 150),))  # nothing idle that could go


def attack(
    gateway: Gateway, attackers: Attackers, seconds: float, crowds: tuple[tuple[Crowd, ...], ...] = FULL
) -> Seen:
    """Hold the connections; meanwhile others ask on new ones, and lose nothing."""
    seen = Seen()
    wait = attackers.start(crowd, [(gateway.port, each, seconds) for each in crowds])
    slowest = 0.0
    for _ in range(ASKS):
        time.sleep(seconds / ASKS)
        began = time.monotonic()
        reply = ask(gateway.port, "GET", "/healthz", address=HERE, seconds=ASK_SECONDS)
        slowest = max(slowest, time.monotonic() - began)
        seen.expect(reply.status == 200, f"another client's /healthz on a new connection: {reply.status}")
    held = Counter[str]()
    for statuses, still, closed in wait():
        seen.statuses += statuses
        held.update(held=still, closed=closed)
    wanted = sum(each.number for of_process in crowds for each in of_process)
    seen.notes.append(
        f"{wanted:,} connections, {held['held']:,} held in the end, {held['closed']:,} closed by the gateway"
    )
    seen.notes.append(f"others' new connections answered within {slowest:.2f} s")
    return seen


def crowd(port: int, crowds: tuple[Crowd, ...], seconds: float) -> tuple[Counter[int], int, int]:
    """Open all connections and hold them; return statuses, the number still open, and the number that were closed."""
    waiting = [(each.address, each.kind) for each in crowds for _ in range(each.number)]
    Random(1).shuffle(waiting)
    kinds, statuses, closed = dict[socket.socket, str](), Counter[int](), 0
    until = time.monotonic() + max(seconds, 1)
    with selectors.DefaultSelector() as selector:
        while time.monotonic() < until:
            for address, kind in waiting[-AT_ONCE:]:
                with contextlib.suppress(OSError):
                    connection = _connecting(port, address)
                    selector.register(connection, selectors.EVENT_WRITE)
                    kinds[connection] = kind
            del waiting[-AT_ONCE:]
            for key, events in selector.select(0.05):
                connection = key.fileobj  # type: ignore[assignment]
                try:
                    _go_on(selector, connection, kinds[connection], events, statuses)
                except OSError:
                    selector.unregister(connection)
                    del kinds[connection]
                    connection.close()
                    closed += 1
        for connection in kinds:
            connection.close()
    return statuses, len(kinds), closed


def _connecting(port: int, address: str) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((address, 0))
    connection.connect_ex((HERE, port))
    return connection


def _go_on(
    selector: selectors.BaseSelector, connection: socket.socket, kind: str, events: int, statuses: Counter[int]
) -> None:
    """Say what is to be said once the connection is there; then wait for its end. Raise OSError at its end."""
    if events & selectors.EVENT_WRITE:
        if STARTS[kind]:
            connection.send(STARTS[kind])
        elif error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error)
        selector.modify(connection, selectors.EVENT_READ)
    elif kind == "reader":
        selector.unregister(connection)  # it takes nothing
    else:
        if not (received := connection.recv(65_536)):
            raise ConnectionResetError
        statuses[status_of(received)] += 1
