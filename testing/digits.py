"""A small image set of printed digits, drawn here, so that no test needs the network or MNIST."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 28
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def draw(label: int, size: float, angle: float, dx: int, dy: int) -> np.ndarray:
    """Return a digit, light on dark, uint8 `[28, 28]`, its font `size` pixels high."""
    image = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(image).text(
        (SIDE / 2 + dx, SIDE / 2 + dy), str(label), 255, ImageFont.load_default(size), anchor="mm", stroke_width=1
    )
    return np.asarray(image.rotate(angle, Image.Resampling.BILINEAR))


def digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many digits of varying size, slant and place, uint8 `[count, 28, 28]`, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = [
        draw(int(label), rng.uniform(18, 24), rng.uniform(-12, 12), *rng.integers(-2, 3, 2).tolist())
        for label in labels
    ]
    return np.stack(images), labels.astype(np.uint8)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as an IDX file."""
    path.write_bytes(bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes())


def write_set(folder: Path, train: int, test: int) -> None:
    """Write an image set of so many digits into `folder` as IDX files."""
    arrays = (*digits(train, seed=1), *digits(test, seed=2))
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(folder / name, array)
