"""Attack a running gateway with damaged images and bombs; count its answers and lost workers."""

import http.client
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from testing.attack.bombs import bombs
from testing.attack.mutations import mutated
from testing.attack.seeds import seeds
from testing.running_gateway import Gateway

THREADS = 4
MOST_MEMORY = 700_000_000  # bytes of a worker, while it decodes the largest image there may be
STATED = frozenset((200, 413, 422))
TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")  # one and all: the bytes tell the format


@dataclass
class Attacked:
    """Answers, faults, and the state of the workers after an attack."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  # answers that ought not to be, each with the input's name
    lost: int = 0  # workers that ended
    peak: int = 0  # bytes that the largest worker had in memory at its worst
    left: int = 0  # and has now


def attack(gateway: Gateway, count: int, seed: int = 1) -> Attacked:
    """Send every bomb and `count` damaged images, one a request."""
    workers = gateway.workers()
    files = [*bombs(), *islice(_damaged(seed), count)]
    came = Attacked()
    with ThreadPoolExecutor(THREADS) as pool:
        for statuses, faults in pool.map(
            _send, [gateway.port] * THREADS, [files[at::THREADS] for at in range(THREADS)]
        ):
            came.statuses += statuses
            came.faults += faults
    came.lost = len(set(workers) - set(gateway.workers()))
    if not came.lost:
        came.peak = max(_peak(worker.pid) for worker in workers)
        came.left = max(worker.memory_info().rss for worker in workers)
    return came


def _damaged(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged images without end; the seed and number in a name make the same image again."""
    files = seeds()
    number = 0
    while True:
        yield f"{seed}/{number}", mutated(random.Random(f"{seed}/{number}"), files)
        number += 1


def _send(port: int, files: list[tuple[str, bytes]]) -> tuple[Counter[int], list[str]]:
    statuses, faults = Counter[int](), []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for at, (name, data) in enumerate(files):
        try:
            connection.request("POST", "/predict", data, {"Content-Type": TYPES[at % len(TYPES)]})
            answer = connection.getresponse()
            body = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            faults.append(f"{name}: {error!r}")
            connection.close()
            continue
        statuses[answer.status] += 1
        if answer.status not in STATED:
            faults.append(f"{name}: {answer.status} {body}")
    connection.close()
    return statuses, faults


def _peak(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
