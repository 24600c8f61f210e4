"""The calls of a gateway's API as methods."""

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self
from urllib.parse import quote

from dropserve.answers import (
    Action,
    CompareAnswer,
    ExperimentAnswer,
    ExperimentSpec,
    FeedbackAnswer,
    FeedbackItem,
    LearningAnswer,
    PredictAnswer,
    ReportAnswer,
    Source,
    VariantsAnswer,
)

if TYPE_CHECKING:
    from dropserve.transport import Transport

Image = str | os.PathLike[str] | bytes | BinaryIO  # a file's path, an encoded image, or an open file

DEFAULT_URL = "http://127.0.0.1:8080"
LABELS_A_REQUEST = 1000


class Client:
    """A gateway at `url`; threads may share it.

    Without `url` the environment's DROPSERVE_URL is asked, else DEFAULT_URL; without `key` DROPSERVE_API_KEY. `timeout`
    is in seconds, of one attempt. Each call raises Refused, Failed or Unreachable; after 429 and 503 it tries
    again up to `retries` times, when the gateway says so.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, timeout: float = 30, retries: int = 5
    ) -> None:
        self.url = url or os.environ.get("DROPSERVE_URL") or DEFAULT_URL
        self._key = (key or os.environ.get("DROPSERVE_API_KEY") or "").strip()  # a file's line may have an end
        if not (self._key.isascii() and self._key.isprintable()):
            raise ValueError("The key, DROPSERVE_API_KEY, has characters that no key has.")
        self._timeout, self._retries = timeout, retries
        self._transport: Transport | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        if self._transport:
            self._transport.close()

    def predict(
        self,
        *images: Image,
        variant: str | None = None,
        experiment: str | None = None,
        unit: str | None = None,
        uncertainty: bool = False,
        split: bool = False,
    ) -> PredictAnswer:
        """Return one variant's answers for encoded images, which make one request and so one unit."""
        parameters = {"variant": variant, "experiment": experiment, **_flags(uncertainty=uncertainty, split=split)}
        if unit and not unit.isprintable():
            raise ValueError(f"The unit {unit!r} has characters that cannot be sent.")
        headers = {"X-Unit-Id": unit.encode()} if unit else {}
        answer: PredictAnswer = self._send("POST", "/predict", params=parameters, headers=headers, files=_form(images))
        return answer

    def compare(self, *images: Image, variants: Sequence[str] = (), split: bool = False) -> CompareAnswer:
        """Return every variant's answers for the same pixels, or those of `variants`."""
        parameters = {"variants": ",".join(variants) or None, **_flags(split=split)}
        answer: CompareAnswer = self._send("POST", "/compare", params=parameters, files=_form(images))
        return answer

    def label(self, prediction_id: str, label: str, source: Source = "user") -> FeedbackAnswer:
        """Store the label of one prediction, by the id in its answer."""
        item = {"prediction_id": prediction_id, "label": label, "source": source}
        answer: FeedbackAnswer = self._send("POST", "/feedback", json=item)
        return answer

    def label_many(self, items: Iterable[FeedbackItem]) -> list[FeedbackAnswer]:
        """Store labels, up to LABELS_A_REQUEST a request; return the fate of each, which raises nothing."""
        waiting, answers = list(items), list[FeedbackAnswer]()
        for start in range(0, len(waiting), LABELS_A_REQUEST):
            part = waiting[start : start + LABELS_A_REQUEST]
            answers += self._send("POST", "/feedback", json={"items": part})["items"]
        return answers

    def variants(self) -> VariantsAnswer:
        """Return the published variants and their live state."""
        answer: VariantsAnswer = self._send("GET", "/variants")
        return answer

    def experiments(self) -> list[ExperimentAnswer]:
        """Return all experiments."""
        answers: list[ExperimentAnswer] = self._send("GET", "/experiments")["experiments"]
        return answers

    def experiment(self, name: str) -> ExperimentAnswer:
        """Return one experiment."""
        answer: ExperimentAnswer = self._send("GET", _path(name))
        return answer

    def create_experiment(self, spec: ExperimentSpec) -> ExperimentAnswer:
        """Make an experiment, as a draft."""
        answer: ExperimentAnswer = self._send("POST", "/experiments", json=spec)
        return answer

    def move_experiment(self, name: str, action: Action, reason: str | None = None) -> ExperimentAnswer:
        """Start, pause, resume, stop or archive an experiment."""
        body = {"reason": reason} if reason else {}
        answer: ExperimentAnswer = self._send("POST", f"{_path(name)}/{action}", json=body)
        return answer

    def report(self, name: str) -> ReportAnswer:
        """Return an experiment's evidence, health and recommendation."""
        answer: ReportAnswer = self._send("GET", f"{_path(name)}/report")
        return answer

    def learning(self) -> LearningAnswer:
        """Return the counts of images kept to learn from."""
        answer: LearningAnswer = self._send("GET", "/learning")
        return answer

    def _send(self, method: str, path: str, **parts: Any) -> Any:
        """Send a request; requests itself is imported by the first, since that takes longer than all else here."""
        with self._lock:
            if self._transport is None:
                from dropserve.transport import Transport

                self._transport = Transport(self.url, self._key, self._timeout, self._retries)
        return self._transport.send(method, path, **parts)


def _path(experiment: str) -> str:
    return f"/experiments/{quote(experiment, safe='')}"


def _flags(**flags: bool) -> dict[str, str]:
    return {name: "true" for name, is_set in flags.items() if is_set}


def _form(images: Sequence[Image]) -> list[tuple[str, tuple[str, bytes]]]:
    """Return the images as fields of a form."""
    if not images:
        raise ValueError("Name at least one image.")
    return [("image", ("image", content(image))) for image in images]


def content(image: Image) -> bytes:
    """Return the bytes of an image."""
    if isinstance(image, bytes):
        return image
    return Path(image).read_bytes() if isinstance(image, str | os.PathLike) else image.read()
