"""Drive one gateway round the circle, by its HTTP API and its commands."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

from testing.api import ADMIN_TOKEN
from testing.databases import empty_database
from testing.machine import ROOT, free_port
from testing.waiting import eventually

ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
AT_ONCE = 500  # images of a request that measures accuracy
CONNECTIONS = 4
RAW, PNG = "application/octet-stream", "image/png"
KEPT = 20_000
ACT_SECONDS = 3.0  # in which a gateway acts on a verdict


class Circle:
    """A running gateway at `url` over `folder`, which holds its models, its labels and its store."""

    def __init__(self, url: str, folder: Path, data: Path, seed: int, settings: dict[str, str]) -> None:
        self.url, self._folder, self._data, self._seed = url, folder, data, seed
        self._settings = settings
        self._session = requests.Session()
        self._labelled = 0

    def teach(self, bodies: Iterable[bytes], kind: str, labels: np.ndarray) -> None:
        """Have images of a content type answered, each of a unit of its own, and label them."""
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            ids = list(pool.map(lambda body: self._predict(body, kind), bodies))
        items = [
            {"prediction_id": each, "label": str(label), "source": "ground_truth"}
            for each, label in zip(ids, labels, strict=True)
        ]
        if items:
            self._post("feedback", {"items": items})
        self._labelled += len(items)

    def improve(self) -> tuple[str, bool]:
        """Run the steps of `make improve` but the last; return the last line that they print, and whether all pass."""
        eventually(lambda: self._get("learning")["labelled"] >= self._labelled, "the labelled images", seconds=300)
        said = ""
        for module, *arguments in (
            ("serving.gateway.commands.labels", f"--folder={self._folder / 'labels'}"),
            ("training", "adapt", f"--labels={self._folder / 'labels'}", f"--models={self._folder / 'models'}",
             f"--runs={self._folder / 'runs'}", f"--data={self._data}", f"--seed={self._seed}", "--background"),
        ):  # fmt: skip
            done = subprocess.run(
                [sys.executable, "-m", module, *arguments], cwd=ROOT, env={**os.environ, **self._settings},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
            said = lines[-1] if lines else ""
            if done.returncode:
                return said, False
        return said, True

    def newest_candidate(self) -> str | None:
        """Return the name of the published candidate once it answers, None without one."""
        found = [v for v in self._get("variants")["variants"] if "labels" in v["training"]]
        if not found:
            return None
        name, version = found[-1]["name"], found[-1]["version"]
        eventually(lambda: self._answering(name) == version, f"{name} {version}", seconds=300)
        return name

    def accuracy(self, variant: str, images: np.ndarray, labels: np.ndarray) -> float:
        """Return a variant's accuracy on images, uint8 `[n, 28, 28]`; /compare keeps none of them."""
        right = 0
        for at in range(0, len(images), AT_ONCE):
            answer = self._send(f"compare?variants={variant}", images[at : at + AT_ONCE].tobytes())
            said = [int(each["variants"][0]["label"]) for each in answer["results"]]
            right += int((np.array(said) == labels[at : at + AT_ONCE]).sum())
        return right / len(images)

    def start_experiment(self, candidate: str) -> str:
        """Propose the candidate, start the draft, and return its name."""
        done = subprocess.run(
            [sys.executable, "-m", "serving.gateway.commands.propose", candidate], cwd=ROOT,
            env={**os.environ, **self._settings}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        name = done.stdout.split()[2]
        self._post(f"experiments/{name}/start", {})
        time.sleep(1)  # by then every worker knows of it
        return name

    def report(self, name: str) -> Any:
        """Return an experiment's report."""
        return self._get(f"experiments/{name}/report")

    def default(self, expected: str) -> str:
        """Return the default variant, as soon as it is the `expected` one, or once the gateway has had time to act."""
        until = time.monotonic() + ACT_SECONDS
        while (found := self._get("variants/promotions")["default"]) != expected and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def _answering(self, name: str) -> int:
        answer = self._session.post(
            f"{self.url}/predict?variant={name}", data=bytes(784), headers={**ADMIN, "Content-Type": RAW}, timeout=30
        )
        return answer.json().get("version", 0)

    def _predict(self, body: bytes, kind: str) -> str:
        headers = {**ADMIN, "Content-Type": kind}
        answer = requests.post(f"{self.url}/predict", data=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()["predictions"][0]["id"]

    def _send(self, path: str, body: bytes) -> Any:
        answer = self._session.post(f"{self.url}/{path}", data=body, headers={**ADMIN, "Content-Type": RAW}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _post(self, path: str, body: Any) -> Any:
        answer = self._session.post(f"{self.url}/{path}", json=body, headers=ADMIN, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _get(self, path: str) -> Any:
        answer = self._session.get(f"{self.url}/{path}", headers=ADMIN, timeout=30)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def serving(models: Path, data: Path, seed: int, kind: str) -> Iterator[Circle]:
    """Run both services over a copy of `models` during the block, with a store of a `kind`, sqlite or postgresql."""
    with tempfile.TemporaryDirectory() as temporary, empty_database(kind) as store:
        folder, port = Path(temporary), free_port()
        shutil.copytree(models, folder / "models")
        config = folder / "models" / "models.config"
        config.write_text(config.read_text().replace(str(models.resolve()), str(folder / "models")))
        settings = {
            "GATEWAY_PORT": str(port), "GATEWAY_DATABASE_URL": store,
            "GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN, "GATEWAY_KEEP_LABELLED": str(KEPT), "GATEWAY_ACCESS_LOG": "false",
            "GATEWAY_MODELS_DIR": str(folder / "models"), "GATEWAY_LOG_LEVEL": "error",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--models", folder / "models"], cwd=ROOT,
            env={**os.environ, **settings, "TF_CPP_MIN_LOG_LEVEL": "3"}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: _ready(url), "every variant", seconds=600)
            yield Circle(url, folder, data, seed, settings)
        finally:
            process.terminate()
            process.wait(120)


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).ok
    except requests.ConnectionError:
        return False
