"""The requests that are sent: images of the test set, written to files before anything is timed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy import png

IMAGES = 500
LARGE = 1000  # images in one request of raw pixels
JSON, PNG, RAW = "application/json", "image/png", "application/octet-stream"


@dataclass(frozen=True)
class Bodies:
    """Bodies of one content type, one image each, but for raw pixels; `file` holds them for wrk."""

    content_type: str
    bodies: Sequence[bytes]
    file: Path


def write_bodies(images: np.ndarray, folder: Path) -> dict[str, Bodies]:
    """Write the requests for uint8 `[n, 28, 28]` images, n ≥ 1,000, into `folder`; return them by name."""
    some = images[:IMAGES]
    made = {
        "json": (JSON, [json.dumps({"instances": [image.tolist()]}).encode() for image in some]),
        "png": (PNG, [png(image) for image in some]),
        "raw": (RAW, [images[:LARGE].tobytes()]),
    }
    return {name: write(folder / name, *each) for name, each in made.items()}


def write(file: Path, content_type: str, bodies: Sequence[bytes]) -> Bodies:
    """Write each body behind a line with its length."""
    with file.open("wb") as out:
        for body in bodies:
            out.write(b"%d\n%s" % (len(body), body))
    return Bodies(content_type, bodies, file)
