"""Lay digits on sheets, in light that is not even, and on paper that is not blank."""

import numpy as np
from PIL import Image

from testing.encoded import encode
from testing.pictures.hands import drawn, written

Rng = np.random.Generator
SIDE = 280  # pixels, of a canvas
PHOTO = (480, 640)
PAGE = (3000, 4000)


def placed(ink: np.ndarray, height: int, width: int, rng: Rng, margin: float = 0.06) -> np.ndarray:
    """Return the coverage `[height, width]` with `ink` somewhere on it, a share of the side away from the border."""
    sheet = np.zeros((height, width), np.float32)
    away = int(margin * min(height, width))
    top = int(rng.integers(away, max(height - ink.shape[0] - away, away) + 1))
    left = int(rng.integers(away, max(width - ink.shape[1] - away, away) + 1))
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def coloured(ink: np.ndarray, ground: np.ndarray | float | tuple, pen: float | tuple = 30.0) -> np.ndarray:
    """Return the levels of ink on a ground, of grey levels or of colours."""
    if isinstance(pen, tuple) or isinstance(ground, tuple):
        ink = ink[:, :, np.newaxis]
    return np.asarray(ground, np.float32) * (1 - ink) + np.asarray(pen, np.float32) * ink


def places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return y and x of every pixel, in −½ … ½ of the shorter side."""
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return (y - height / 2) / side, (x - width / 2) / side


def shadow(height: int, width: int, rng: Rng) -> np.ndarray:
    """Return the light, 1 or less, on a sheet across which the edge of a shadow runs."""
    y, x = places(height, width)
    angle, depth, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.5), rng.uniform(0.002, 0.02)
    across = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.3, 0.3)
    return 1 - depth * np.clip(across / soft + 0.5, 0, 1)


def slope(height: int, width: int, rng: Rng) -> np.ndarray:
    """Return light that falls evenly from one side to the other."""
    y, x = places(height, width)
    angle = rng.uniform(0, 2 * np.pi)
    return 1 - rng.uniform(0.15, 0.4) * (0.5 + 0.7 * (x * np.cos(angle) + y * np.sin(angle)))


def ruled(height: int, width: int, apart: float, wide: float, squared: bool, turn: float = 0.0) -> np.ndarray:
    """Return the coverage of ruled lines, or of squares, turned by so many radians."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    covered = np.zeros((height, width), np.float32)
    for place in (across, along) if squared else (across,):
        away = np.abs((place + apart / 2) % apart - apart / 2)
        covered = np.maximum(covered, np.clip(wide / 2 + 0.5 - away, 0, 1))
    return covered


def boxed(sheet: np.ndarray, margin: float, wide: float, rng: Rng) -> np.ndarray:
    """Return a sheet with a box drawn around its ink, `margin` pixels away or as far as the sheet goes."""
    rows, columns = np.nonzero(sheet.max(axis=1) > 0)[0], np.nonzero(sheet.max(axis=0) > 0)[0]
    height, width = sheet.shape
    top, left = max(rows[0] - margin, 1), max(columns[0] - margin, 1)
    bottom, right = min(rows[-1] + margin, height - 2), min(columns[-1] + margin, width - 2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    outside = np.maximum(np.maximum(top - y, y - bottom), np.maximum(left - x, x - right))
    return np.maximum(sheet, (np.abs(outside) <= wide / 2).astype(np.float32))


def ringed(sheet: np.ndarray, rng: Rng) -> np.ndarray:
    """Return a sheet with a circle drawn around its ink by hand."""
    rows, columns = np.nonzero(sheet.max(axis=1) > 0)[0], np.nonzero(sheet.max(axis=0) > 0)[0]
    middle = np.array([columns.mean(), rows.mean()])
    size = max(np.ptp(rows), np.ptp(columns))
    angles = np.linspace(0, 2 * np.pi, 60) + rng.uniform(0, 6)
    radius = size * (rng.uniform(0.66, 0.76) + 0.02 * np.sin(2 * angles + rng.uniform(0, 6)))
    circle = middle + radius[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return with_ink(sheet, drawn([circle], size * rng.uniform(0.03, 0.09)), middle)


def underlined(sheet: np.ndarray, rng: Rng) -> np.ndarray:
    """Return a sheet with a line drawn under its ink."""
    rows, columns = np.nonzero(sheet.max(axis=1) > 0)[0], np.nonzero(sheet.max(axis=0) > 0)[0]
    size, more = np.ptp(rows), 0.15 * np.ptp(rows)
    y = rows[-1] + size * rng.uniform(0.1, 0.25)
    ends = np.array([[columns[0] - more, y], [columns[-1] + more, y + size * rng.uniform(-0.03, 0.03)]])
    return with_ink(sheet, drawn([ends], size * rng.uniform(0.04, 0.1)), ends.mean(axis=0))


def with_ink(sheet: np.ndarray, ink: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return a sheet with more ink, the middle of its box at x and y."""
    whole = sheet.copy()
    left, top = (round(float(m) - side / 2) for m, side in zip(middle, ink.shape[::-1], strict=True))
    for row, column in np.argwhere(ink > 0):
        if 0 <= top + row < sheet.shape[0] and 0 <= left + column < sheet.shape[1]:
            whole[top + row, left + column] = max(whole[top + row, left + column], ink[row, column])
    return whole


def levels(values: np.ndarray) -> Image.Image:
    """Return grey levels or colours as an image."""
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def noisy(values: np.ndarray, rng: Rng, deviation: float) -> np.ndarray:
    """Return levels with a camera's noise."""
    return values + rng.normal(0, deviation, values.shape).astype(np.float32)


def on_canvas(digit: int, rng: Rng, height: float = 0.6, side: int = SIDE) -> np.ndarray:
    """Return the coverage of a digit on a canvas."""
    return placed(written(digit, rng, height * side * rng.uniform(0.85, 1.1)), side, side, rng)


def on_photo(digit: int, rng: Rng, height: float = 0.5) -> np.ndarray:
    """Return the coverage of a digit on a photographed sheet."""
    return placed(written(digit, rng, height * PHOTO[0] * rng.uniform(0.7, 1.2)), *PHOTO, rng)


def photo(values: np.ndarray, rng: Rng, deviation: float = 4.0) -> bytes:
    """Return a photograph's file."""
    return encode(levels(noisy(values, rng, deviation)), "JPEG", quality=int(rng.integers(60, 92)))
