"""Separate the ink of an image from its ground, dark on light or light on dark, in uneven light too."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

STRONG = 0.08  # of the ink's peak: stronger pixels are ink anywhere, fainter ones only beside strong ink
STRAY = 1.5  # times the stray marks far from ink, such as JPEG's, is ink
NOISES = 5.0  # standard deviations of the ground's noise from which on a pixel is ink
BLANK_NOISES = 4.0  # standard deviations of the noise below which marks are no ink
BLANK_LEVELS = 8.0  # of 255 grey levels, below which marks are no ink
RING = 0.05  # of the shorter side: the border, which shows ground rather than ink
RING_SAMPLES = 1000
UNEVEN_SIDE = 32  # pixels: a smaller image is no photograph; its ground is even
TO_DEVIATION = 1.4826  # a normal distribution's standard deviation over its median absolute deviation


class NoInk(ValueError):
    """A blank image: nothing stands out from its ground."""


def find_ink(image: Floats) -> tuple[Floats, Mask]:
    """Return the strength of the ink of `image`, [h, w], and the mask of strong ink; raise NoInk for a blank image.

    `image` is [h, w, channels] in grey levels 0…255. The strength is the distance from the ground in grey levels, 0
    without ink.
    """
    ground, noise = _ground(image)
    away = image - ground
    distance = np.abs(away).max(axis=2)
    colour = away[distance >= distance.max() / 2].mean(axis=0)
    # The ink's colour relative to the ground's: the polarity of grey, the most telling mixture of colour channels.
    ink = away @ (colour / max(np.abs(colour).sum(), 1.0))
    peak = ink[ink >= ink.max() / 2].mean()
    if peak < max(BLANK_LEVELS, BLANK_NOISES * noise):
        raise NoInk
    stray = _quantile(np.abs(ink[~grown(grown(ink > peak / 4))]), 0.99)
    strong = ink >= min(max(STRONG * peak, STRAY * stray, NOISES * noise), peak / 2)
    ink[(ink <= 2 * noise) | ~grown(strong)] = 0
    return ink, strong


def grown(mask: Mask) -> Mask:
    """Return `mask` with every neighbouring pixel, diagonal ones too."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    padded[1:-1, 1:-1] = mask
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _ground(image: Floats) -> tuple[Floats, float]:
    """Return the ground's colour, broadcastable to `image`, and the standard deviation of its noise in grey levels."""
    height, width, _ = image.shape
    thickness = max(1, round(RING * min(height, width)))
    border = np.ones((height, width), bool)
    border[thickness : height - thickness, thickness : width - thickness] = False
    rows, columns = np.nonzero(border)
    step = math.ceil(len(rows) / RING_SAMPLES)
    rows, columns = rows[::step], columns[::step]
    ring = image[rows, columns]
    level = np.array([_quantile(channel, 0.5) for channel in ring.T], np.float32)
    deviation = np.abs(ring - level).max(axis=1)
    if min(height, width) < UNEVEN_SIDE or _quantile(deviation, 0.5) == 0:
        return level, 0.0
    coefficients, noise = _fit(ring, columns / width, rows / height, deviation)
    surface = _terms(np.arange(width)[None, :] / width, np.arange(height)[:, None] / height) @ coefficients
    return surface.astype(np.float32), noise


def _fit(ring: Floats, x: NDArray, y: NDArray, deviation: NDArray) -> tuple[NDArray, float]:
    """Fit a quadratic surface to the ground in the ring; return its coefficients and the noise around it."""
    basis = _terms(x, y)
    for _ in range(2):
        # The ridge keeps images of one row or column solvable.
        keep = deviation <= 2.5 * TO_DEVIATION * _quantile(deviation, 0.5) + 1
        normal = basis[keep].T @ basis[keep] + 1e-6 * np.eye(basis.shape[1])
        coefficients = np.linalg.solve(normal, basis[keep].T @ ring[keep])
        deviation = np.abs(ring - basis @ coefficients).max(axis=1)
    return coefficients, TO_DEVIATION * _quantile(deviation, 0.5)


def _terms(x: NDArray, y: NDArray) -> NDArray:
    x, y = np.broadcast_arrays(x, y)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _quantile(values: NDArray, share: float) -> float:
    """Return the quantile `share` of `values`, 0 without any; faster than np.quantile."""
    if not len(values):
        return 0.0
    place = min(int(share * len(values)), len(values) - 1)
    return float(np.partition(values, place)[place])
