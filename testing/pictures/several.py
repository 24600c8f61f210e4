"""Pictures of two or three digits."""

import numpy as np

from testing.encoded import encode
from testing.pictures.hands import written
from testing.pictures.sheets import Rng, coloured, levels, noisy

HEIGHT, WIDTH = 280, 560  # pixels


def several(rng: Rng) -> tuple[bytes, list[int]]:
    """Return a picture of two or three digits in a row, as a file, and the digits from left to right."""
    digits = [int(digit) for digit in rng.integers(0, 10, int(rng.integers(2, 4)))]
    height, pen = rng.uniform(110, 170), rng.uniform(0.08, 0.13)
    marks = [written(digit, rng, height * rng.uniform(0.85, 1.1), pen) for digit in digits]
    gaps = [int(height * rng.uniform(0.12, 0.4)) for _ in marks]
    width = sum(mark.shape[1] for mark in marks) + sum(gaps)
    sheet = np.zeros((HEIGHT, max(WIDTH, width + 40)), np.float32)
    left, top = int(rng.integers(10, sheet.shape[1] - width - 9)), int(rng.integers(10, HEIGHT - 220))
    for mark, gap in zip(marks, gaps, strict=True):
        down = min(top + int(rng.integers(0, 25)), HEIGHT - mark.shape[0])
        sheet[down : down + mark.shape[0], left : left + mark.shape[1]] = mark
        left += mark.shape[1] + gap
    if rng.random() < 0.5:
        return encode(levels(255 - 255 * sheet)), digits
    return encode(levels(noisy(coloured(sheet, 215, 50), rng, 4)), "JPEG", quality=80), digits
