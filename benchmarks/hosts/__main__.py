"""Break hosts under load, and print what clients see.

    python -m benchmarks.hosts [kill] [cut] [database] [promotion] [restart]

Needs root, iproute2, HAProxy, PostgreSQL and published models. Three network namespaces hold a gateway and a model
server each, a fourth one the database. Ends with exit code 1 where a label is lost, a prediction fails other than by a
killed host or a cut link, or a promotion takes longer than PROMOTION_SECONDS to reach every host.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import requests
from sqlalchemy import select

from benchmarks.hosts.load import Load
from benchmarks.hosts.network import hosts
from benchmarks.hosts.services import SERVERS, URL, Database, Front, Service, front
from serving.gateway.experiments.prediction_id import read
from serving.gateway.store.experiments import signing_key
from serving.gateway.store.store import Store
from serving.gateway.store.tables import feedback
from testing.api import ADMIN
from testing.recount import problems
from testing.waiting import eventually

LONGEST_SECONDS = 480  # of all; then the run ends by itself
FAULTS = ("kill", "cut", "database", "promotion", "restart")
STEADY_SECONDS = 4.0  # under load, before and after each fault
OUTAGE_SECONDS = 5.0
PROMOTION_SECONDS = 2.0
ARMS = ("l2", "dropout_l2")
SPEC = {
    "name": "hosts", "control": ARMS[1], "paired": True,
    "arms": [{"variant": variant, "weight": 0.5} for variant in ARMS],
}  # fmt: skip


def main() -> int:
    """Run all faults; return the exit code."""
    parser = argparse.ArgumentParser(description="Break hosts under load.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS)} (default: all)")
    chosen = parser.parse_args().faults or list(FAULTS)
    if unknown := sorted(set(chosen) - set(FAULTS)):
        parser.error(f"there is no fault {unknown[0]}; there are {', '.join(FAULTS)}")
    if lacking := _lacking():
        print(f"test-hosts is skipped: {lacking}")
        return 0
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"test-hosts took more than {LONGEST_SECONDS} s"))
    signal.alarm(LONGEST_SECONDS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hosts-")))
        folder.chmod(0o755)
        (folder / "database").mkdir()
        store, *others = stack.enter_context(hosts(["store", *SERVERS]))
        database = Database(store, folder / "database")
        services = [Service(host, name, database.url, folder) for host, name in zip(others, SERVERS, strict=True)]
        for service in services:
            service.start()
        for service in services:
            eventually(service.ready, f"host {service.name}")
        proxy = stack.enter_context(front(services, folder))
        for path, body in (("experiments", SPEC), ("experiments/hosts/start", {})):
            requests.post(f"{URL}/{path}", json=body, headers=ADMIN, timeout=20).raise_for_status()
        load = Load()
        with load.running():
            good = Faults(load, database, services, proxy).run(chosen)
        for service in services:
            service.stop()  # and write what waits
        lost, wrong = _lost(database.url, load)
        print(f"labels acknowledged {len(load.acknowledged):,}, lost {lost}" + (f"; {wrong[:3]}" if wrong else ""))
    return 0 if good and not lost and not wrong else 1


class Faults:
    """The faults, one after the other, each with steady load before and after."""

    def __init__(self, load: Load, database: Database, services: list[Service], proxy: Front) -> None:
        self._load, self._database, self._services, self._proxy = load, database, services, proxy
        self._good, self._since = True, time.monotonic()

    def run(self, chosen: Sequence[str]) -> bool:
        """Run those chosen; say whether each met its goal."""
        print(
            f"{'':24}{'predictions':>12}{'failed':>8}{'labels':>8}{'refused':>8}{'last after, s':>14}{'slowest, s':>11}"
        )
        last = self._services[-1]
        self._fault("nothing", lambda: None, predictions=0, labels=0)
        if "kill" in chosen:
            self._fault("a host is killed", last.host.kill)
            self._fault("it comes back", lambda: self._back(last), predictions=0, labels=0)
        if "cut" in chosen:
            self._fault("a link is cut", lambda: last.host.connect(up=False))
            self._fault("it is mended", lambda: self._mended(last), predictions=0, labels=0)
        if "database" in chosen:
            self._fault("the database stops", self._outage, predictions=0)
        if "promotion" in chosen:
            self._fault("a promotion", self._promote, predictions=0, labels=0)
        if "restart" in chosen:
            self._fault("a rolling restart", self._restart, predictions=0, labels=0)
        return self._good

    def _fault(
        self, name: str, act: Callable[[], object], predictions: int | None = None, labels: int | None = None
    ) -> None:  # fmt: skip
        """Let something happen, and print what clients saw; `predictions` and `labels` may fail at most so often."""
        time.sleep(STEADY_SECONDS)
        began = time.monotonic()
        note = act()
        time.sleep(STEADY_SECONDS)
        answers = self._load.during(self._since)
        self._since = time.monotonic()
        of = {path: [each for each in answers if each.path == path] for path in ("/predict", "/feedback")}
        failed = {path: [each for each in some if each.failed] for path, some in of.items()}
        longest = max((each.answered - began for some in failed.values() for each in some), default=0.0)
        slowest = max((each.answered - each.sent for each in answers), default=0.0)
        predicted, labelled = of["/predict"], of["/feedback"]
        print(
            f"{name:24}{len(predicted):12}{len(failed['/predict']):8}{len(labelled):8}{len(failed['/feedback']):8}"
            f"{longest:14.1f}{slowest:11.1f}   {note or ''}".rstrip(),
            flush=True,
        )
        for path, most in (("/predict", predictions), ("/feedback", labels)):
            self._good &= most is None or len(failed[path]) <= most
            if failed[path]:
                print(f"  {path}: {dict(Counter(each.status or 'no answer' for each in failed[path]))}", flush=True)

    def _back(self, service: Service) -> None:
        service.start()
        eventually(service.ready, f"host {service.name}")

    def _mended(self, service: Service) -> None:
        service.host.connect(up=True)
        eventually(service.ready, f"host {service.name}")

    def _outage(self) -> str:
        self._database.stop()
        time.sleep(OUTAGE_SECONDS)
        self._database.start()
        return f"away for {OUTAGE_SECONDS:.0f} s"

    def _promote(self) -> str:
        default = self._services[0].default()
        variant = next(name for name in ("plain", "dropout", "champion") if name != default)
        requests.post(f"{URL}/experiments/hosts/pause", json={}, headers=ADMIN, timeout=20).raise_for_status()
        requests.post(
            f"{URL}/variants/{variant}/promote", json={"by": "test"}, headers=ADMIN, timeout=20
        ).raise_for_status()
        began = time.monotonic()
        eventually(lambda: {each.default() for each in self._services} == {variant}, "the promoted variant")
        seconds = time.monotonic() - began
        self._good &= seconds <= PROMOTION_SECONDS
        requests.post(f"{URL}/experiments/hosts/resume", json={}, headers=ADMIN, timeout=20).raise_for_status()
        return f"every host serves {variant} after {seconds:.2f} s"

    def _restart(self) -> None:
        for service in self._services:
            self._proxy.set(service.name, "drain")
            eventually(lambda name=service.name: not self._proxy.requests_at(name), "the last requests")  # type: ignore[misc]
            service.stop()
            self._back(service)
            self._proxy.set(service.name, "ready")


def _lost(url: str, load: Load) -> tuple[int, list[str]]:
    """Return how many acknowledged labels the store lacks, and the faults of its counters."""
    store = Store(url)
    with store.read() as connection:
        secret = signing_key(connection)
        stored = {row.prediction: row.label for row in connection.execute(select(feedback))}
        keys = {prediction: read(secret, prediction) for prediction in load.acknowledged}
        lost = sum(
            stored.get(key.key if (key := keys[prediction]) else "") != label
            for prediction, label in load.acknowledged.items()
        )
        wrong = problems(connection, 1)
    store.close()
    return lost, wrong


def _lacking() -> str | None:
    """Return what the run needs and does not find, None where it has all."""
    if os.geteuid():
        return "it makes network namespaces, which takes root"
    for program, package in (("ip", "iproute2"), ("haproxy", "haproxy")):
        if not shutil.which(program):
            return f"{program} is missing; on Debian: apt-get install {package}"
    if not Path("models/models.config").is_file():
        return "no models are published; run make train first"
    return None


if __name__ == "__main__":
    sys.exit(main())
