"""An experiment on real disagreements of the trained models about MNIST's test images."""

from typing import Any

import requests

from testing.api import ADMIN
from testing.machine import ROOT
from testing.running_gateway import Gateway
from testing.waiting import PATIENCE, eventually
from tests.browser.examples import images_of_mnist
from training.readers import read_idx

LABELS = ROOT / "data" / "t10k-labels-idx1-ubyte"
RAW = {"Content-Type": "application/octet-stream"}


class Experiment:
    """A paired experiment of the champion against dropout that has been asked about test images."""

    def __init__(self, gateway: Gateway, name: str, *, made: bool = False, key: str = "", **spec: Any) -> None:
        """Make it and start it, unless it was `made` by the page; predictions need a `key` where there are some."""
        self.gateway, self.name = gateway, name
        self.headers = {**RAW, "Authorization": f"Bearer {key}"} if key else RAW
        self.truth: dict[str, str] = {}  # by prediction id
        if made:
            return
        arms = [{"variant": variant, "weight": 0.5} for variant in ("champion", "dropout")]
        whole = {"name": name, "control": "champion", "paired": True, "arms": arms, **spec}
        self.call("POST", "", whole, at="/experiments")
        self.call("POST", "/start", {})

    def call(self, method: str, path: str, body: Any = None, *, at: str | None = None) -> Any:
        """Call the API, about this experiment unless `at` says otherwise, and return its answer."""
        url = f"{self.gateway.url}{at or f'/experiments/{self.name}'}{path}"
        answer = requests.request(method, url, json=body, headers=ADMIN, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()

    def ask(self, first: int, count: int, *, together: int = 10) -> None:
        """Ask about so many test images, `together` of them a unit, and wait until all arms have been asked."""
        images, truth = images_of_mnist(), read_idx(LABELS, 1)
        with requests.Session() as session:
            for start in range(first, first + count, together):
                chosen = slice(start, start + together)
                answer = session.post(
                    f"{self.gateway.url}/predict?experiment={self.name}", images[chosen].tobytes(),
                    headers=self.headers, timeout=PATIENCE,
                )  # fmt: skip
                assert answer.ok, answer.text
                ids = [each["id"] for each in answer.json()["predictions"]]
                self.truth.update(zip(ids, map(str, truth[chosen]), strict=True))
        eventually(lambda: self.counts["compared"] == len(self.truth))

    def label(self, source: str = "ground_truth") -> None:
        """Say of all images what they show."""
        items = [{"prediction_id": each, "label": truth, "source": source} for each, truth in self.truth.items()]
        for first in range(0, len(items), 1000):
            self.call("POST", "", {"items": items[first : first + 1000]}, at="/feedback")

    @property
    def counts(self) -> dict[str, int]:
        """The counts of the report."""
        return self.call("GET", "/report")["counts"]

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The images that want a label, in their order."""
        return self.call("GET", "/disagreements?limit=100")["disagreements"]

    def said(self, image: dict[str, Any]) -> str | None:
        """Return the label of an image that is in force."""
        return self.call("GET", "", at=f"/feedback/{image['prediction_id']}")["label"]

    def say(self, image: dict[str, Any], label: str) -> int:
        """Label an image past the page, and return the status."""
        body = {"prediction_id": image["prediction_id"], "label": label, "source": "audit"}
        return requests.post(f"{self.gateway.url}/feedback", json=body, headers=ADMIN, timeout=PATIENCE).status_code

    def right(self, image: dict[str, Any]) -> str:
        """Return what an image shows."""
        return self.truth[image["prediction_id"]]

    def wrong(self, image: dict[str, Any]) -> str:
        """Return another digit."""
        return str((int(self.right(image)) + 1) % 10)
