"""Predict many files: several a request, over several connections, answered in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from dropserve.answers import ImagePrediction, PredictAnswer
from dropserve.client import Client
from dropserve.errors import Refused

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
BATCH = 32  # images a request, of at most BATCH_BYTES
BATCH_BYTES = 2_000_000
CONNECTIONS = 4
FAULTS_OF_IMAGES = frozenset({400, 413, 415, 422})


class FileAnswer(NamedTuple):
    """A file with its answer and its predictions, several under `split`; or with the error that it met."""

    path: Path
    answer: PredictAnswer | None
    predictions: Sequence[ImagePrediction]
    error: Exception | None = None


def image_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files among `paths`, and those of their folders that are named as images, in order.

    Folders that cannot be read come last, as if they were files: whoever reads them meets the error.
    """
    for path in paths:
        if os.path.isdir(path):  # unlike Path.is_dir, False where a folder above may not be searched
            unread = list[OSError]()
            for folder, folders, files in os.walk(path, onerror=unread.append):
                folders.sort()
                yield from (Path(folder, f) for f in sorted(files) if os.path.splitext(f)[1].lower() in SUFFIXES)
            yield from (Path(error.filename) for error in unread)
        else:
            yield path


def predict_files(
    client: Client, paths: Iterable[Path], *, batch: int = BATCH, connections: int = CONNECTIONS, **parameters: Any
) -> Iterator[FileAnswer]:
    """Yield the answer of each file, in order; `parameters` are those of `Client.predict`.

    A file that cannot be read, or that the gateway refuses, has an error. Any other DropserveError is raised.
    """
    batches = _batches(paths, batch)
    with ThreadPoolExecutor(connections) as pool:
        waiting: deque[Future[list[FileAnswer]]] = deque()
        try:
            for part in islice(batches, 2 * connections):
                waiting.append(pool.submit(_ask, client, part, parameters))
            while waiting:
                answers = waiting.popleft().result()
                for part in islice(batches, 1):
                    waiting.append(pool.submit(_ask, client, part, parameters))
                yield from answers
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _batches(paths: Iterable[Path], most: int) -> Iterator[list[Path]]:
    """Yield files in groups of up to `most`, of up to BATCH_BYTES together."""
    part, size = list[Path](), 0
    for path in paths:
        bytes_here = _size(path)
        if part and (len(part) == most or size + bytes_here > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(path)
        size += bytes_here
    if part:
        yield part


def _size(path: Path) -> int:
    """Return the bytes of a file, 0 where they cannot be told: whoever reads it meets the error."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def concerns_images(error: Refused) -> bool:
    """Say whether a refusal is for images, which it names, or for their form or size; others are for the whole run."""
    return error.status in FAULTS_OF_IMAGES and (error.status != 422 or bool(error.faults))


def _ask(client: Client, paths: Sequence[Path], parameters: dict[str, Any]) -> list[FileAnswer]:
    """Ask for all files by one request; where that fails, ask for either half, down to the file at fault."""
    try:
        answer = client.predict(*paths, **parameters)
    except (OSError, Refused) as error:
        if isinstance(error, Refused) and not concerns_images(error):
            raise
        if len(paths) == 1:
            return [FileAnswer(paths[0], None, (), error)]
        half = len(paths) // 2
        return [*_ask(client, paths[:half], parameters), *_ask(client, paths[half:], parameters)]
    found: list[list[ImagePrediction]] = [[] for _ in paths]
    for number, prediction in enumerate(answer["predictions"]):
        image = prediction.get("image")
        found[number if image is None else image].append(prediction)
    return [FileAnswer(path, answer, predictions) for path, predictions in zip(paths, found, strict=True)]
