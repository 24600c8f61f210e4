"""Bodies of JSON that are small on the wire and large once parsed."""

import functools
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

from testing.attack.attackers import PROCESSES, Attackers
from testing.attack.gateways import INTRUDER, TOKEN
from testing.attack.seen import Seen
from testing.attack.wire import CLOSED, JSON, ask, bearer
from testing.running_gateway import Gateway

ADDRESS = "127.0.3.1"
THREADS = 3  # in each process
IMAGES, OTHERS = 8 * 2**20, 2**20  # bytes: the default bounds of bodies
REFUSED = {400, 404, 413, 422, 429, 503, CLOSED}
FIELD_BYTES = 13  # of `"k1234567":0,`
ANSWER_SECONDS = 5.0
MOST_FACTOR, SLACK_SECONDS = 2, 10  # the attack may take longer where answers do
KEPT_BODIES = 8

ELEMENTS = {"lists": b"[]", "objects": b"{}", "strings": b'""', "numbers": b"0", "nested": b"[" * 50 + b"]" * 50}
ENDPOINTS = {
    "/predict": (IMAGES, b"instances", INTRUDER),
    "/compare": (IMAGES, b"instances", INTRUDER),
    "/feedback": (OTHERS, b"items", INTRUDER),
    "/experiments": (OTHERS, b"arms", TOKEN),
    "/experiments/none/start": (OTHERS, b"reason", TOKEN),
    "/experiments/none/weights": (OTHERS, b"weights", TOKEN),
    "/variants/plain/promote": (OTHERS, b"reason", TOKEN),
    "/variants/rollback": (OTHERS, b"reason", TOKEN),
}


class Case(NamedTuple):
    """A body for an endpoint, `bytes` long or a little less."""

    path: str
    kind: str
    bytes: int
    statuses: set[int]


CASES = [
    Case(path, kind, size, statuses)
    for path, (bound, _, _) in ENDPOINTS.items()
    for kind in (*ELEMENTS, "one object")
    for size, statuses in ((bound - 1000, REFUSED), (bound + 100_000, {413, CLOSED}), (IMAGES, {413, CLOSED}))
    if size != IMAGES or bound == OTHERS
]


Random(1).shuffle(CASES)


def attack(gateway: Gateway, attackers: Attackers, seconds: float, cases: Sequence[Case] = CASES) -> Seen:
    """Send each body once, then again until the time is over."""
    seen = Seen()
    work = [(gateway.port, cases[at::PROCESSES], seconds) for at in range(PROCESSES)]
    for case, status, waited in (each for answers in attackers.run(send, work) for each in answers):
        name = f"{case.kind} of {case.bytes / 2**20:.1f} MiB to {case.path}"
        seen.expect_status(status, case.statuses, name)
        if waited > ANSWER_SECONDS:
            seen.slow.append(f"{name}: answered after {waited:.1f} s")
    seen.notes.append(f"{seen.statuses.total():,} bodies over {PROCESSES * THREADS} connections")
    return seen


def send(port: int, cases: Sequence[Case], seconds: float) -> list[tuple[Case, int, float]]:
    """Send the bodies, in turn, from several threads; return status and seconds of each that there was time for."""
    began, least = time.monotonic(), len(cases)
    turns = itertools.cycle(cases)
    turn, lock = itertools.count(), threading.Lock()
    made = functools.lru_cache(KEPT_BODIES)(make)

    def work() -> list[tuple[Case, int, float]]:
        found = list[tuple[Case, int, float]]()
        while True:
            with lock:
                passed = time.monotonic() - began
                if passed > MOST_FACTOR * seconds + SLACK_SECONDS or (passed > seconds and next(turn) >= least):
                    return found
                case = next(turns)
            _, field, token = ENDPOINTS[case.path]
            body, sent = made(case.kind, case.bytes, field), time.monotonic()
            headers = {"Content-Type": JSON, **bearer(token)}
            reply = ask(port, "POST", case.path, body, headers, address=ADDRESS)
            found.append((case, reply.status, time.monotonic() - sent))

    with ThreadPoolExecutor(THREADS) as pool:
        return [each for done in [pool.submit(work) for _ in range(THREADS)] for each in done.result()]


def make(kind: str, size: int, field: bytes) -> bytes:
    """Return JSON of `size` bytes or a little less: an object whose one field is a list, or one large object."""
    if kind == "one object":
        fields: Callable[[int], bytes] = b'"k%07d":0'.__mod__
        return b"{%b}" % b",".join(map(fields, range(size // FIELD_BYTES)))
    element = ELEMENTS[kind]
    count = (size - len(field) - 10) // (len(element) + 1)
    return b'{"%b":[%b]}' % (field, b",".join([element] * count))
