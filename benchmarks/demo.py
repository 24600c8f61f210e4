"""Run an experiment from start to decision: `l2` against `dropout_l2`, on the test images with their labels.

    python -m benchmarks.demo [--url URL] [--data DIR]

Without --url it starts the model server and a gateway with a new store on free ports, and stops them at the end. Sends
the test images to `/predict`, their labels to `/feedback`, and prints the report as it moves.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from testing.api import ADMIN_TOKEN
from testing.running_gateway import Gateway
from testing.running_model_server import running
from testing.waiting import eventually
from training.data import ImageSet, load

CONTROL, CHALLENGER = "dropout_l2", "l2"
LABELS_A_REQUEST = 10
CONNECTIONS = 4
DECIDED = ("ship", "roll_back", "equivalent", "inconclusive", "guardrail_broken")
SECONDS = 60
# Send refused requests again after `Retry-After`, as any client should.
AGAIN = Retry(5, status_forcelist=(429, 503), allowed_methods=None, raise_on_status=False)

sessions = threading.local()


def main() -> int:
    """Run the experiment; return the exit code."""
    parser = argparse.ArgumentParser(description="Run an experiment on the test images.")
    parser.add_argument("--url", help="a running gateway, whose GATEWAY_ADMIN_TOKEN is taken from the environment")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    arguments = parser.parse_args()
    images = load(arguments.data)
    try:
        if arguments.url:
            return demonstrate(arguments.url, os.environ.get("GATEWAY_ADMIN_TOKEN", ""), images)
        with services() as url:
            return demonstrate(url, ADMIN_TOKEN, images)
    except requests.RequestException as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


@contextmanager
def services(checkout: Path | None = None) -> Iterator[str]:
    """Run a model server and a gateway, of another `checkout` if given, during the block; give the gateway's URL."""
    with tempfile.TemporaryDirectory() as folder, running("--model_config_file=models/models.config") as model_server:
        shutil.copy("models/manifest.json", folder)  # the gateway keeps its database beside it
        with Gateway(Path(folder), model_server.grpc_address, quiet=True, checkout=checkout) as gateway:
            eventually(lambda: requests.get(f"{gateway.url}/readyz", timeout=10).ok, "every variant", seconds=60)
            yield gateway.url


def demonstrate(url: str, token: str, images: ImageSet) -> int:
    """Create the experiment, send the images, and print the report; return the exit code."""
    name, began = f"demo_{time.strftime('%Y%m%d_%H%M%S')}", time.monotonic()
    admin = {"Authorization": f"Bearer {token}"}
    spec = {
        "name": name, "hypothesis": f"{CHALLENGER} errs less than {CONTROL}", "control": CONTROL, "paired": True,
        "arms": [{"variant": variant, "weight": 0.5} for variant in (CONTROL, CHALLENGER)],
    }  # fmt: skip
    for path, body in (("experiments", spec), (f"experiments/{name}/start", {})):
        answer = requests.post(f"{url}/{path}", json=body, headers=admin, timeout=10)
        if not answer.ok:
            print(f"demo: {answer.json()['detail']}", file=sys.stderr)
            return 1
    time.sleep(1)  # by then every worker knows of it
    print("labelled  disagreements  only l2 right  only dropout_l2 right  E          recommendation")
    count = len(images.test_images)
    batches = [range(start, min(start + LABELS_A_REQUEST, count)) for start in range(0, count, LABELS_A_REQUEST)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for number, _ in enumerate(pool.map(lambda batch: send(url, name, admin, images, batch), batches), 1):
            if number % 50 == 0:
                show(report(url, name, admin))
    deadline = time.monotonic() + SECONDS
    while (found := report(url, name, admin))["counts"]["compared"] < count and time.monotonic() < deadline:
        time.sleep(0.1)
    show(found)
    print("\n".join(found["decision"]["reasons"]))
    if found["verdict"]:
        print(f"It was decided at {found['verdict']['labelled']:,} labels.")
    print(f"{time.monotonic() - began:.0f} s")
    requests.post(f"{url}/experiments/{name}/stop", json={"reason": "the demo is over"}, headers=admin, timeout=10)
    return 0 if found["decision"]["recommendation"] in DECIDED else 1


def send(url: str, name: str, admin: dict[str, str], images: ImageSet, batch: range) -> None:
    """Request predictions for a batch of images, and send their labels with the administrators' header.

    Each image has a request of its own, and so is a unit: most of them come from different writers.
    """
    if not hasattr(sessions, "session"):
        sessions.session = requests.Session()
        sessions.session.mount(url, HTTPAdapter(max_retries=AGAIN))
    items = []
    for number in batch:
        answer = sessions.session.post(
            f"{url}/predict?experiment={name}", data=images.test_images[number].tobytes(),
            headers={**admin, "Content-Type": "application/octet-stream"}, timeout=30,
        )  # fmt: skip
        answer.raise_for_status()
        label = {"label": str(images.test_labels[number]), "source": "ground_truth"}
        items.append({"prediction_id": answer.json()["predictions"][0]["id"], **label})
    labels = sessions.session.post(f"{url}/feedback", json={"items": items}, headers=admin, timeout=30)
    labels.raise_for_status()


def report(url: str, name: str, admin: dict[str, str]) -> Any:
    """Return the report."""
    return requests.get(f"{url}/experiments/{name}/report", headers=admin, timeout=10).json()


def show(found: Any) -> None:
    """Print one line of the report."""
    counts, (comparison,) = found["counts"], found["comparisons"]
    print(
        f"{counts['labelled']:8,}  {counts['disagreements']:13,}  {comparison['only_variant_right']:13,}  "
        f"{comparison['only_control_right']:21,}  {comparison['e_value']:<9.3g}  {found['decision']['recommendation']}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
