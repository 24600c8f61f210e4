"""The gateway at 80 % of its capacity for ten minutes: errors, memory and tail by the minute. `make soak-serving`.

    python -m benchmarks.serving.soak [--minutes N] [--share X]

Needs published models (`make train`). The gateway, its model server and the load share the machine. The load
generator first finds the capacity by sending as fast as answers come, then keeps to a fixed rate. Ends with exit code 1
where a request failed. Writes the figures to `runs/soak-serving.json`.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.bodies import write_bodies
from benchmarks.serving.servers import GATEWAY, SERVERS, Running, started, write_models
from testing.http_load import post
from testing.open_loop import Load, TimedAnswers
from training.data import load

CONNECTIONS = 64
PROBE_SECONDS = 5.0
COLUMNS = "{:>6} {:>9} {:>7} {:>8} {:>8} {:>8}  {}"


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=10, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, metavar="N", help="of a minute (default: %(default)s)")
    parser.add_argument("--share", type=float, default=0.8, metavar="X", help="of the capacity (default: %(default)s)")
    parser.add_argument("--variant", default="l2", help="from which the gateway answers (default: %(default)s)")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        json_bodies = write_bodies(load(arguments.data).test_images, folder)["json"]
        write_models(arguments.models.resolve(), arguments.variant, folder / "models")
        requests = [post("/predict", body, json_bodies.content_type) for body in json_bodies.bodies]
        with started({GATEWAY: SERVERS[GATEWAY]}, folder / "models", json_bodies.bodies[0]) as servers:
            servers[GATEWAY].resume()
            rate = arguments.share * capacity(servers[GATEWAY], requests)
            rows = list(minutes(servers[GATEWAY], requests, rate, arguments.minutes, arguments.seconds))
    errors = sum(row["errors"] for row in rows)
    print(f"{sum(row['requests'] for row in rows):,} requests at {rate:,.0f} a second, {errors} failed")
    Path("runs").mkdir(exist_ok=True)
    Path("runs/soak-serving.json").write_text(json.dumps({"rate": rate, "minutes": rows}, indent=1))
    return 1 if errors else 0


def capacity(gateway: Running, requests: list[bytes]) -> float:
    """Return answers a second when every connection sends its next request at once, warmed up."""
    load = Load(gateway.port, requests, CONNECTIONS, None)
    load.run(PROBE_SECONDS)
    seen = load.run(PROBE_SECONDS)
    load.finish(10)
    found = len(seen.times) / PROBE_SECONDS
    print(f"capacity over {CONNECTIONS} connections: {found:,.0f} requests a second", flush=True)
    return found


def minutes(
    gateway: Running, requests: list[bytes], rate: float, number: int, seconds: float
) -> Iterator[dict[str, Any]]:
    """Yield the figures of each minute of a steady load, and print them."""
    print(COLUMNS.format("minute", "requests", "errors", "p50 ms", "p99 ms", "max ms", "MB of each process"))
    load = Load(gateway.port, requests, CONNECTIONS, rate)
    for minute in range(1, number + 1):
        seen = load.run(seconds)
        if minute == number:
            last = load.finish(10)
            seen = TimedAnswers(seen.statuses + last.statuses, seen.times + last.times)
        yield described(minute, seen, gateway)


def described(minute: int, seen: TimedAnswers, gateway: Running) -> dict[str, Any]:
    """Return one minute's figures, printed."""
    p50, p99, longest = np.percentile(seen.times, [50, 99, 100]) * 1000
    workers = {each.pid for each in gateway.workers()}
    memory = [
        ("worker" if each.pid in workers else "other", each.pid, round(each.memory_info().rss / 1e6, 1))
        for each in gateway.processes()
    ]
    told = "  ".join(f"{kind} {megabytes:.0f}" for kind, _, megabytes in memory)
    times = (f"{milliseconds:.1f}" for milliseconds in (p50, p99, longest))
    print(COLUMNS.format(minute, f"{len(seen.times):,}", seen.errors, *times, told), flush=True)
    return {
        "minute": minute,
        "requests": len(seen.times),
        "errors": seen.errors,
        "statuses": Counter(seen.statuses),
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": longest,
        "memory": [{"process": kind, "pid": pid, "megabytes": megabytes} for kind, pid, megabytes in memory],
    }


if __name__ == "__main__":
    sys.exit(main())
