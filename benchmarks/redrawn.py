"""Digits drawn again as people draw them: another pen, slant, size and place, dark on light, uneven light, JPEG.

A digit's skeleton (Zhang & Suen 1984) is drawn with a pen of any width, set on a larger canvas and photographed, then
framed by the gateway's own code. It shares nothing with the distortions that the champion is trained on.
"""

import io
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

SIDE, FINER = 28, 4  # pixels of an image's side; pixels that each becomes
PEN = (0.35, 2.1)  # half the stroke's width, in pixels of the original
SLANT, TURN, STRETCH = 0.35, np.deg2rad(15), 0.15
SIZE = (1.0, 8.0)  # times the original's
NEIGHBOURS = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))  # clockwise from the one above


def redrawn(images: np.ndarray, seed: int) -> np.ndarray:
    """Return each image, uint8 `[n, 28, 28]`, drawn again and framed by the gateway, uint8 `[n, 28, 28]`."""
    with ProcessPoolExecutor() as pool:
        return np.stack(list(pool.map(_redraw_and_frame, images, repeat(seed), range(len(images)), chunksize=100)))


def _redraw_and_frame(image: np.ndarray, seed: int, place: int) -> np.ndarray:
    from serving.gateway import framing, images

    photograph = _photograph(_placed(_pen_stroke(image, rng := np.random.default_rng([seed, place])), rng), rng)
    return framing.frame_mnist(images.read_levels(images.open_image(photograph, 25_000_000)), SIDE, SIDE)


def _pen_stroke(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how much ink there is, 0…1, `[112, 112]`, where a pen follows the digit's skeleton.

    The pen is thin enough for a digit to keep its holes: nobody would draw a six without one.
    """
    finer = np.asarray(Image.fromarray(image).resize((SIDE * FINER, SIDE * FINER), Image.Resampling.BICUBIC))
    shape = finer > finer.max() / 2
    distance = ndimage.distance_transform_edt(~_skeleton(shape))
    pen = rng.uniform(*PEN) * FINER
    while pen > PEN[0] * FINER and _holes(distance < pen) != _holes(shape):
        pen *= 0.9
    return np.clip(pen + 0.5 - distance, 0, 1)


def _holes(shape: np.ndarray) -> int:
    """Return how many pieces of ground there are beside that around the digit."""
    return ndimage.label(~shape)[1] - 1


def _skeleton(shape: np.ndarray) -> np.ndarray:
    """Return the shape thinned to lines, bool `[h, w]` (Zhang & Suen 1984)."""
    height, width = shape.shape
    padded = np.pad(shape, 1).astype(np.uint8)
    inside = padded[1:-1, 1:-1]
    while True:
        before = inside.sum()
        for table in REMOVED:
            around = sum(padded[y : y + height, x : x + width] << i for i, (y, x) in enumerate(NEIGHBOURS))
            inside[table[around] & (inside == 1)] = 0
        if inside.sum() == before:
            return inside.astype(bool)


def _removed() -> tuple[np.ndarray, np.ndarray]:
    """Return whether a pixel goes, for each of the 256 patterns around it, in the two passes of a round."""
    n = [(np.arange(256) >> i) & 1 for i in range(8)]
    edges = sum((n[i] == 0) & (n[(i + 1) % 8] == 1) for i in range(8))
    border = (sum(n) >= 2) & (sum(n) <= 6) & (edges == 1)
    first = border & (n[0] * n[2] * n[4] == 0) & (n[2] * n[4] * n[6] == 0)
    second = border & (n[0] * n[2] * n[6] == 0) & (n[0] * n[4] * n[6] == 0)
    return first, second


REMOVED = _removed()


def _placed(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ink turned, slanted, stretched, scaled, somewhere on a larger canvas, 0…1, `[h, w]`."""
    scale = rng.uniform(*SIZE) / FINER
    turn, slant = rng.uniform(-TURN, TURN), rng.uniform(-SLANT, SLANT)
    stretch = np.diag(np.exp(rng.uniform(-STRETCH, STRETCH, 2)))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    inverse = np.linalg.inv(rotation @ np.array([[1, slant], [0, 1]]) @ stretch * scale)
    room = int(len(ink) * scale * 1.5) + 8
    width, height = (int(room * rng.uniform(1, 2.2)) for _ in range(2))
    middle = np.array([rng.uniform(room / 2, width - room / 2), rng.uniform(room / 2, height - room / 2)])
    (a, b), (d, e) = inverse
    c, f = len(ink) / 2 - inverse @ middle
    image = Image.fromarray((ink * 255).astype(np.uint8))
    placed = image.transform((width, height), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC)
    return np.asarray(placed.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1))), np.float32) / 255


def _photograph(ink: np.ndarray, rng: np.random.Generator) -> bytes:
    """Return a JPEG of the ink, dark on light or the reverse, in uneven light and with noise."""
    light, dark = rng.uniform(150, 255), rng.uniform(0, 90)
    y, x = (np.linspace(-0.5, 0.5, side) for side in ink.shape)
    angle = rng.uniform(0, 2 * np.pi)
    shade = rng.uniform(0, 60) * (x * np.cos(angle) + y[:, np.newaxis] * np.sin(angle))
    levels = light + (dark - light) * ink + shade + rng.normal(0, rng.uniform(0, 5), ink.shape)
    levels = np.clip(levels if rng.random() < 0.7 else 255 - levels, 0, 255)
    file = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(file, "JPEG", quality=int(rng.uniform(40, 95)))
    return file.getvalue()
