"""Write some digits of the training set as other hands do: a 1 gets a flag, as in much of Europe."""

import numpy as np

from training.champion.upright import MOMENTS, X, Y
from training.data import SIDE

ONE = 1
FLAG = (0.05, 0.36)  # how far a flag goes to the left, in heights of the 1
STEEP = (0.6, 1.5)  # how far it goes down, as a multiple of that: a flatter one would make a 7
WIDEST = 2.2  # pixels: half the width of a stroke; a wider one is no line
CROOKED = 1.6  # the variance of ink across a 1, in that of a straight line of its width


def flag_ones(images: np.ndarray, labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return the images, uint8 `[n, 28, 28]`, a share of the 1s among them with flags, which `seed` decides.

    Only images of class 1 that are a straight line get one: other sets' class 1 does not, nor a 1 that has a flag.
    """
    rng = np.random.default_rng(seed)
    ones = np.flatnonzero(labels == ONE)
    ones = ones[rng.random(len(ones)) < share]
    flagged = images.copy()
    flagged[ones] = with_flags(images[ones], rng)
    return flagged


def with_flags(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each image, uint8 `[n, 28, 28]`, with a flag at the upper end of its stroke, where that is a line."""
    # Sums in float64 are exact in any order (training/champion/upright.py), so every number of cores gives the same.
    mass, x, y, xx, yy, xy = (images.reshape(-1, SIDE * SIDE).astype(np.float64) @ MOMENTS).T
    mass = np.maximum(mass, 1.0)
    x, y = x / mass, y / mass
    var_x, var_y, cov = xx / mass - x * x, yy / mass - y * y, xy / mass - x * y
    lean = cov / np.maximum(var_y, 1.0)
    inked = images.max(axis=2) > 127
    top, bottom = inked.argmax(axis=1), SIDE - 1 - inked[:, ::-1].argmax(axis=1)
    height = (bottom - top + 1).astype(float)
    across = mass / 255 / height / 2  # half of the stroke's width along a row
    half = across / np.hypot(1, lean)
    is_line = inked.any(axis=1) & (half < WIDEST) & (var_x - lean * cov < CROOKED * (across**2 / 3 + 0.25))
    # The end of the middle line: half a width below the topmost ink.
    end_y = top - (SIDE - 1) / 2 - 0.5 + half
    end_x = x + lean * (end_y - y)
    left = rng.uniform(*FLAG, len(images)) * height
    down = left * rng.uniform(*STEEP, len(images))
    flags = _strokes(end_x, end_y, lean * down - left, down, half)
    return np.where(is_line[:, np.newaxis, np.newaxis], np.maximum(images, flags), images)


def _strokes(x: np.ndarray, y: np.ndarray, right: np.ndarray, down: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return strokes, uint8 `[n, 28, 28]`, from (x, y), in pixels from the middle, by (right, down), `half` wide."""
    x, y, right, down, half = (values[:, np.newaxis] for values in (x, y, right, down, half))
    along = np.clip(((X - x) * right + (Y - y) * down) / (right**2 + down**2), 0, 1)
    distance = np.hypot(X - x - along * right, Y - y - along * down)
    return np.rint(255 * np.clip(half + 0.5 - distance, 0, 1)).astype(np.uint8).reshape(-1, SIDE, SIDE)
