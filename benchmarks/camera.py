"""Photograph drawings: somewhere on a larger sheet, dark on light or the reverse, in uneven light, as JPEG."""

import io

import numpy as np
from PIL import Image, ImageFilter

from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings

SIDE, FINER = 28, 4  # pixels of an image's side; pixels that each becomes in a drawing
FORMAT = ImageFormat(height=SIDE, width=SIDE, framing="mnist")
SETTINGS = Settings.from_environ({})
SIZE = (1.0, 8.0)  # of the photographed sheet, times the original's


def photographed(ink: np.ndarray, form: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a drawing, 0…1, `[112, 112]`, as the gateway frames its photograph: uint8 `[28, 28]`.

    Of a digit in pieces that the gateway takes for several, the first is returned.

    `form`, `[2, 2]`, says how the sheet's pixels come from those of the image that was drawn: slant, size and so on.
    """
    photograph = _photograph(_placed(ink, form / FINER, rng), rng)
    [[digit, *_]] = frame_uploads([Upload("", photograph)], FORMAT, SETTINGS, split=True)
    return np.frombuffer(digit.pixels, np.uint8).reshape(SIDE, SIDE)


def _placed(ink: np.ndarray, form: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ink somewhere on a sheet, 0…1, `[h, w]`."""
    room = int(len(ink) * np.sqrt(np.linalg.det(form)) * 1.5) + 8
    width, height = (int(room * rng.uniform(1, 2.2)) for _ in range(2))
    middle = np.array([rng.uniform(room / 2, width - room / 2), rng.uniform(room / 2, height - room / 2)])
    inverse = np.linalg.inv(form)
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
