"""Measure what a running experiment costs `/predict`.

    python -m benchmarks.experiments [--against-checkout DIR] [--rounds N]

Needs published models (`make train`). Starts the model server and a gateway on free ports, on SQLite; all share the
machine with the load generator.
"""

import argparse
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from operator import truediv
from pathlib import Path
from typing import Any

import requests

from benchmarks.demo import CHALLENGER, CONTROL, services
from testing.api import ADMIN_TOKEN
from testing.http_load import post, requests_a_second
from testing.traffic import RAW

CONNECTIONS, SECONDS, ROUNDS, QUICK_ROUNDS = 16, 2.0, 10, 3
IMAGE_BYTES = 784
MODES = ("without", "split", "paired")
Rates = defaultdict[tuple[str, str], list[float]]  # by gateway and mode
KNOWN_SECONDS = 0.5  # until every worker knows of a change: they refresh four times a second
ARMS = [{"variant": variant, "weight": 0.5} for variant in (CONTROL, CHALLENGER)]


def main() -> None:
    """Measure the throughput without an experiment, split and paired, in turn; print it."""
    parser = argparse.ArgumentParser(description="Measure what a running experiment costs /predict.")
    parser.add_argument("--against-checkout", type=Path, metavar="DIR",
                        help="another checkout to compare with, which has its environment in .venv")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--quick", action="store_const", dest="rounds", const=QUICK_ROUNDS, help="fewer rounds")
    given = parser.parse_args()
    checkouts = {"this": None} | ({"other": given.against_checkout.absolute()} if given.against_checkout else {})
    with ExitStack() as stack:
        urls = {name: stack.enter_context(services(checkout)) for name, checkout in checkouts.items()}
        rates = measure(urls, given.rounds)
        for name, url in urls.items():
            for mode in MODES:
                print(f"{name:5} {mode:8} {in_words(rates[name, mode], rates[name, 'without'])}")
            print(f"{name}: {compared(url)}")
    if given.against_checkout:
        for mode in MODES:
            ratio = statistics.median(map(truediv, rates["this", mode], rates["other", mode]))
            print(f"{mode:8} {ratio:.2f} times the other's requests a second")


def measure(urls: Mapping[str, str], rounds: int) -> Rates:
    """Return the requests a second of each gateway in each mode, by round."""
    requests_of_images, rates = different_images(), Rates(list)
    for url in urls.values():
        for name in MODES[1:]:
            admin(url, "experiments", name=name, control=CONTROL, arms=ARMS, paired=name == "paired")
            admin(url, f"experiments/{name}/start")
            admin(url, f"experiments/{name}/pause")
        requests_a_second(port_of(url), requests_of_images, CONNECTIONS, SECONDS)
    for _ in range(rounds):
        for mode in MODES:
            for name, url in urls.items():
                with_experiment(url, mode, "resume")
                rates[name, mode].append(requests_a_second(port_of(url), requests_of_images, CONNECTIONS, SECONDS))
                with_experiment(url, mode, "pause")
    return rates


def in_words(found: Sequence[float], without: Sequence[float]) -> str:
    """Say a mode's requests a second, and what an experiment costs."""
    cost = statistics.median(1 - rate / alone for rate, alone in zip(found, without, strict=True))
    return (
        f"{statistics.median(found):6,.0f} requests a second ({min(found):,.0f} to {max(found):,.0f}); costs {cost:.1%}"
    )


def compared(url: str) -> str:
    """Say how many images the paired experiment compared, and dropped."""
    counts = requests.get(f"{url}/experiments/paired/report", timeout=10).json()["counts"]
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    dropped = [line for line in lines if "dropped" in line and not line.startswith("#")]
    return f"{counts['compared']:,} images compared; {', '.join(dropped)}"


def port_of(url: str) -> int:
    """Return the port of a URL."""
    return int(url.rpartition(":")[2])


def different_images() -> Iterator[bytes]:
    """Give requests of one image each, no two alike: the same pixels would count once in an experiment."""
    for number in itertools.count():
        yield post("/predict", number.to_bytes(IMAGE_BYTES, "little"), RAW)


def with_experiment(url: str, mode: str, action: str) -> None:
    """Resume or pause the experiment of a mode, and wait until every worker knows it."""
    if mode != "without":
        admin(url, f"experiments/{mode}/{action}")
        time.sleep(KNOWN_SECONDS)


def admin(url: str, path: str, **body: Any) -> None:
    """Send an administrator's request."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    requests.post(f"{url}/{path}", json=body, headers=headers, timeout=10).raise_for_status()


if __name__ == "__main__":
    main()
