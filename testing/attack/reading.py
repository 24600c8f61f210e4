"""Many clients of /metrics and of other calls that read."""

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
PATHS = (
    "/metrics",
    "/metrics",
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


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Have each client read one path again and again."""
    body = json.dumps(EXPERIMENT).encode()  # not started: the steady client would take part
    ask(gateway.port, "POST", "/experiments", body, {"Content-Type": JSON, **bearer(TOKEN)})
    seen = Seen()
    for statuses in attackers.run(read, [(gateway.port, CLIENTS // PROCESSES, seconds)] * PROCESSES):
        for (path, status), count in statuses.items():
            seen.statuses[status] += count
            seen.expect(status in ALLOWED, f"GET {path}: {status}")
    return seen


def read(port: int, clients: int, seconds: float) -> Counter[tuple[str, int]]:
    """Read as fast as answers come; return how often each path had each status."""
    until = time.monotonic() + seconds

    def one(path: str) -> Counter[tuple[str, int]]:
        statuses = Counter[tuple[str, int]]()
        connection = http.client.HTTPConnection(HERE, port, timeout=10, source_address=(ADDRESS, 0))
        while not statuses or time.monotonic() < until:
            try:
                connection.request("GET", path, headers=bearer(LABELLER) if "experiments" in path else {})
                answer = connection.getresponse()
                answer.read()
                statuses[path, answer.status] += 1
            except (OSError, http.client.HTTPException):
                statuses[path, CLOSED] += 1
                connection.close()
        connection.close()
        return statuses

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(one, (PATHS * clients)[:clients]), Counter[tuple[str, int]]())
