"""Measure what a running experiment costs `/predict`.

    python -m benchmarks.experiments

Needs published models (`make train`). Starts the model server and a gateway on free ports, on SQLite; all share the
machine with the load generator.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Any

import requests

from benchmarks.demo import CHALLENGER, CONTROL, services
from testing.api import ADMIN_TOKEN
from testing.http_load import post, requests_a_second
from testing.traffic import RAW

CONNECTIONS, SECONDS, ROUNDS = 16, 2.0, 10
IMAGE_BYTES = 784
KNOWN_SECONDS = 0.5  # until every worker knows of a change: they refresh four times a second
ARMS = [{"variant": variant, "weight": 0.5} for variant in (CONTROL, CHALLENGER)]


def main() -> None:
    """Measure the throughput without an experiment, split and paired, in turn."""
    requests_of_images = different_images()
    rates: dict[str, list[float]] = {"without": [], "split": [], "paired": []}
    with services() as url:
        port = int(url.rpartition(":")[2])
        for name in ("split", "paired"):
            admin(url, "experiments", name=name, control=CONTROL, arms=ARMS, paired=name == "paired")
            admin(url, f"experiments/{name}/start")
            admin(url, f"experiments/{name}/pause")
        requests_a_second(port, requests_of_images, CONNECTIONS, SECONDS)
        for _ in range(ROUNDS):
            for mode, found in rates.items():
                with_experiment(url, mode, "resume")
                found.append(requests_a_second(port, requests_of_images, CONNECTIONS, SECONDS))
                with_experiment(url, mode, "pause")
        counts = requests.get(f"{url}/experiments/paired/report", timeout=10).json()["counts"]
        dropped = [
            line for line in requests.get(f"{url}/metrics", timeout=10).text.splitlines()
            if "dropped" in line and not line.startswith("#")
        ]  # fmt: skip
    for mode, found in rates.items():
        cost = statistics.median(1 - rate / without for rate, without in zip(found, rates["without"], strict=True))
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"{mode:8} {statistics.median(found):6,.0f} requests a second ({spread}); costs {cost:.1%}")
    print(f"paired: {counts['compared']:,} images compared; {', '.join(dropped)}")


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
