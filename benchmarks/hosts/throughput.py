"""Compare the requests that two hosts answer with those of one, side by side on one machine.

    python -m benchmarks.hosts.throughput [--share 0.6] [--seconds 5]

A host is a gateway with one worker and its model server, on a core of its own, of which it may use a share. The rest is
for the load generators, one a host: two hosts on two whole cores would compete with what loads them. Needs root, for
control groups, published models, MNIST and wrk.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.hosts.network import hosts
from benchmarks.hosts.services import Service
from benchmarks.serving import wrk
from benchmarks.serving.bodies import Bodies, write_bodies
from testing.waiting import eventually
from training.data import load

GOAL = 1.8
ROUNDS = 5
CONNECTIONS = 8
PERIOD_MICROSECONDS = 10_000


def main() -> int:
    """Measure and print; return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description="Measure one and two hosts.")
    parser.add_argument("--share", type=float, default=0.6, help="of a core that a host may use (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: %(default)s)")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hosts-")))
        bodies = write_bodies(load(Path("data")).test_images, folder)["png"]
        names, cores = ("one", "two"), sorted(os.sched_getaffinity(0))
        # The groups come first: they can go when the hosts' processes have ended.
        groups = [stack.enter_context(_group(f"dropserve-{name}")) for name in names]
        made = stack.enter_context(hosts(names))
        services = [
            Service(host, name, f"sqlite:///{folder}/{name}.db", folder) for host, name in zip(made, names, strict=True)
        ]
        for service, core in zip(services, cores, strict=False):
            service.start(["taskset", "-c", str(core)])
        for service in services:
            eventually(service.ready, f"host {service.name}")
        for service, group in zip(services, groups, strict=True):
            _limit(service, group, arguments.share)
        _rates(services, bodies, arguments.seconds)
        ratios, costs, rates = [], [], []
        for _ in range(ROUNDS):
            alone = [_rates([service], bodies, arguments.seconds) for service in services]
            both, cost = _rates(services, bodies, arguments.seconds)
            one = statistics.mean(rate for rate, _ in alone)
            rates.append((one, both))
            ratios.append(both / one)
            costs.append(cost / statistics.mean(each for _, each in alone))
    one, both = (statistics.median(each) for each in zip(*rates, strict=True))
    ratio = statistics.median(ratios)
    print(f"one host {one:,.0f} requests a second, two hosts {both:,.0f}")
    print(f"{ratio:.2f} times the requests ({min(ratios):.2f} to {max(ratios):.2f}), "
          f"{statistics.median(costs):.2f} times the processor time for each")  # fmt: skip
    return int(ratio < GOAL)


def _rates(services: Sequence[Service], bodies: Bodies, seconds: int) -> tuple[float, float]:
    """Return the requests a second of hosts loaded at once, and their processor seconds a request."""
    before = sum(map(_cpu_seconds, services))
    with ThreadPoolExecutor(len(services)) as pool:
        found = list(pool.map(lambda each: wrk.run(f"{each.url}/predict", bodies, CONNECTIONS, seconds), services))
    used = sum(map(_cpu_seconds, services)) - before
    return sum(each.rate for each in found), used / sum(each.requests for each in found)


def _cpu_seconds(service: Service) -> float:
    """Return the processor time that a host's processes have taken."""
    return sum(sum(process.cpu_times()[:2]) for process in _processes(service))


def _processes(service: Service) -> list[psutil.Process]:
    roots = [psutil.Process(process.pid) for process in service.host.processes]
    return [each for root in roots for each in (root, *root.children(recursive=True))]


@contextmanager
def _group(name: str) -> Iterator[Path]:
    """Make a control group, of version 2 or version 1."""
    top = Path("/sys/fs/cgroup")
    group = (top if (top / "cgroup.controllers").is_file() else top / "cpu") / name
    group.mkdir()
    try:
        yield group
    finally:
        eventually(lambda: not (group / "cgroup.procs").read_text(), "the host's end", seconds=30)
        group.rmdir()


def _limit(service: Service, group: Path, share: float) -> None:
    """Bring a host's processes into a control group, which may use a share of a core."""
    for process in _processes(service):
        (group / "cgroup.procs").write_text(str(process.pid))
    quota = str(round(share * PERIOD_MICROSECONDS))
    if (group / "cpu.max").is_file():
        (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
        (group / "cpu.cfs_quota_us").write_text(quota)


if __name__ == "__main__":
    sys.exit(main())
