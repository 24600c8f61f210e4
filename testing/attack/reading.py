"""Many clients of /metrics and of other calls that read."""

import hashlib
import http.client
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from testing.attack.attackers import PROCESSES, Attackers
from testing.attack.gateways import LABELLER, TOKEN
from testing.attack.seen import Seen
from testing.attack.wire import CLOSED, HERE, JSON, ask, bearer
from testing.running_gateway import Gateway

ADDRESS = "127.0.9.1"
CLIENTS = 16
FRESH_SECONDS = 1.0  # for which a worker gives the same text
METRICS = "/metrics"
PATHS = (
    METRICS,
    METRICS,
    "/variants",
    "/openapi.json",
    "/experiments/read/report",
    "/",
    "/readyz",
    "/experiments",
)
ALLOWED = {200, 401, 429, 503, CLOSED}
EXPERIMENT = {
    "name": "read", "control": "plain",
    "arms": [{"variant": "plain", "weight": 0.5}, {"variant": "dropout", "weight": 0.5}],
}  # fmt: skip

Answer = tuple[str, int, str]  # path, status, and of METRICS the text's digest


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Have each client read one path again and again; see that scrapes in a burst get the same text."""
    body = json.dumps(EXPERIMENT).encode()  # not started: the steady client would take part
    ask(gateway.port, "POST", "/experiments", body, {"Content-Type": JSON, **bearer(TOKEN)})
    seen, workers, began = Seen(), len(gateway.workers()), time.monotonic()
    answers = Counter[Answer]()
    for found in attackers.run(read, [(gateway.port, CLIENTS // PROCESSES, seconds)] * PROCESSES):
        answers += found
    passed = time.monotonic() - began
    for (path, status, _), count in answers.items():
        seen.statuses[status] += count
        seen.expect(status in ALLOWED, f"GET {path}: {status}")
    scrapes = [count for (path, status, _), count in answers.items() if (path, status) == (METRICS, 200)]
    told = f"{sum(scrapes):,} scrapes of {workers} workers in {passed:.1f} s got {len(scrapes)} texts"
    most = workers * (int(passed / FRESH_SECONDS) + 2)  # one from before, one at once, one after each FRESH_SECONDS
    seen.expect(0 < len(scrapes) <= most, f"{told}; 1 to {most} are right")
    seen.notes.append(told)
    return seen


def read(port: int, clients: int, seconds: float) -> Counter[Answer]:
    """Read as fast as answers come; return how often each path had each answer."""
    until = time.monotonic() + seconds

    def one(path: str) -> Counter[Answer]:
        answers = Counter[Answer]()
        connection = http.client.HTTPConnection(HERE, port, timeout=10, source_address=(ADDRESS, 0))
        while not answers or time.monotonic() < until:
            try:
                connection.request("GET", path, headers=bearer(LABELLER) if "experiments" in path else {})
                answer = connection.getresponse()
                text = answer.read()
                answers[path, answer.status, hashlib.sha256(text).hexdigest() if path == METRICS else ""] += 1
            except (OSError, http.client.HTTPException):
                answers[path, CLOSED, ""] += 1
                connection.close()
        connection.close()
        return answers

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(one, (PATHS * clients)[:clients]), Counter[Answer]())
