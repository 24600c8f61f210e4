"""Send the test images through the gateway, as pixels and as PNG files, and compare accuracy with the manifest's.

    python -m benchmarks.accuracy [--url URL] [--data DIR]

Needs a running gateway (`make serve`). Posts each image as a PNG file of its own to `/predict?variant=V`, and all of
them as raw pixels, and prints a row a variant beside the manifest's figure. Ends with exit code 1 where the pixels'
accuracy is not the manifest's to the last image, or the files' is further away than POINTS.
"""

import argparse
import io
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from training.data import ImageSet, load

CONNECTIONS = 8
PIXELS_A_REQUEST = 1000
POINTS = 0.003

connections = threading.local()


def main() -> int:
    """Measure every variant; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare served accuracy with the manifest's.")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    arguments = parser.parse_args()
    try:
        variants = requests.get(f"{arguments.url}/variants", timeout=10).json()["variants"]
    except requests.ConnectionError:
        sys.exit(f"No gateway answers at {arguments.url}: start one (make serve), or name another with --url.")
    images = load(arguments.data)
    files = [png(image) for image in images.test_images]
    good = True
    print("variant     manifest  as pixels  as PNG files  files a second")
    for variant in variants:
        url = f"{arguments.url}/predict?variant={variant['name']}"
        stated = variant["test"]["accuracy"]
        pixels = accuracy(images, labels_of_pixels(url, images))
        start = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            png_files = accuracy(images, pool.map(label_of_file, itertools.repeat(url), files))
        rate = len(files) / (time.perf_counter() - start)
        print(f"{variant['name']:10}  {stated:8.4f}  {pixels:9.4f}  {png_files:12.4f}  {rate:14.0f}", flush=True)
        good &= round(pixels * len(files)) == round(stated * len(files)) and abs(png_files - stated) <= POINTS
    return 0 if good else 1


def png(image: np.ndarray) -> bytes:
    """Return a uint8 image `[height, width]` as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def labels_of_pixels(url: str, images: ImageSet) -> Iterator[str]:
    """Yield the label of each test image, sent as raw pixels."""
    for start in range(0, len(images.test_images), PIXELS_A_REQUEST):
        part = images.test_images[start : start + PIXELS_A_REQUEST]
        answer = requests.post(
            url, data=part.tobytes(), headers={"Content-Type": "application/octet-stream"}, timeout=30
        )
        answer.raise_for_status()
        yield from (prediction["label"] for prediction in answer.json()["predictions"])


def label_of_file(url: str, file: bytes) -> str:
    """Return the label of one PNG file, sent on this thread's connection."""
    if not hasattr(connections, "session"):
        connections.session = requests.Session()
    answer = connections.session.post(url, data=file, headers={"Content-Type": "image/png"}, timeout=30)
    answer.raise_for_status()
    return answer.json()["predictions"][0]["label"]


def accuracy(images: ImageSet, labels: Iterator[str]) -> float:
    """Return the share of labels that are right."""
    return sum(label == str(truth) for label, truth in zip(labels, images.test_labels, strict=True)) / len(
        images.test_labels
    )


if __name__ == "__main__":
    sys.exit(main())
