"""Bodies that all but end, held at once."""

import selectors
import socket
import time
from collections import Counter

from testing.attack.attackers import PROCESSES, Attackers
from testing.attack.gateways import INTRUDER
from testing.attack.seen import Seen
from testing.attack.wire import CLOSED, RAW, bearer, head, opened, status_of
from testing.running_gateway import Gateway

ADDRESS = "127.0.4.1"
BODIES = 30  # in each process
BODY = 8 * 2**20  # bytes: the largest that is read
BUFFERED = 2 * 64 * 2**20  # bytes that two workers hold by default
PATHS = ("/predict", "/compare")
HELD = -1  # stands for a body that is neither answered nor closed
WITHOUT_KEY = {401, 413, 429, CLOSED}
WITH_KEY = {503, 413, 429, CLOSED, HELD}


def attack(gateway: Gateway, attackers: Attackers, seconds: float, bodies: int = BODIES) -> Seen:
    """Hold bodies without a key, then with one."""
    seen = Seen()
    for name, token, allowed in (("without a key", "", WITHOUT_KEY), ("with a key", INTRUDER, WITH_KEY)):
        came = Counter[int]()
        retry = True
        for statuses, told in attackers.run(hold, [(gateway.port, token, bodies, seconds / 2)] * PROCESSES):
            came += statuses
            retry &= told
        seen.expect(set(came) <= allowed, f"{name}: {dict(came)}, not only {sorted(allowed)}")
        seen.expect(retry, f"{name}: a 503 without Retry-After")
        most = BUFFERED // BODY
        seen.expect(came[HELD] <= most, f"{name}: {came[HELD]} bodies of 8 MiB are held; {most} may be")
        if token:
            seen.expect(came[503] + came[CLOSED] + came[429] > 0, f"{name}: nothing is refused")
        seen.notes.append(f"{name}: {came.pop(HELD, 0)} held")
        seen.statuses += came
    return seen


def hold(port: int, token: str, number: int, seconds: float) -> tuple[Counter[int], bool]:
    """Send so many bodies but for their last byte; return the statuses, and whether each 503 has Retry-After."""
    fields = {"Content-Type": RAW, "Content-Length": BODY, **bearer(token)}
    rest, received = dict[socket.socket, memoryview](), dict[socket.socket, bytes]()
    ended, zeros = set[socket.socket](), memoryview(bytes(BODY - 1))
    with selectors.DefaultSelector() as selector:
        for at in range(number):
            connection = opened(port, ADDRESS)
            connection.sendall(head("POST", PATHS[at % len(PATHS)], fields))
            connection.setblocking(False)
            rest[connection] = zeros
            received[connection] = b""
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        until = time.monotonic() + max(seconds, 1)
        while time.monotonic() < until and selector.get_map():
            for key, events in selector.select(0.1):
                connection = key.fileobj  # type: ignore[assignment]
                try:
                    if events & selectors.EVENT_WRITE:
                        rest[connection] = rest[connection][connection.send(rest[connection]) :]
                        if not rest[connection]:
                            selector.modify(connection, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        received[connection] += (news := connection.recv(65_536))
                        if not news:
                            raise ConnectionResetError
                except OSError:
                    ended.add(connection)
                    selector.unregister(connection)
    statuses, told = Counter[int](), True
    for connection, answer in received.items():
        connection.close()
        status = status_of(answer) or (CLOSED if connection in ended else HELD)
        statuses[status] += 1
        told &= status != 503 or b"retry-after" in answer.lower()
    return statuses, told
