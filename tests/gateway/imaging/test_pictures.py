"""Pictures as people send them, each kind by some digits, told by the likeness of their pixels to clean drawings."""

import zlib

import numpy as np
import pytest
from PIL import Image, ImageFilter

from serving.gateway.errors import Unprocessable
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings
from testing.encoded import encode, framed
from testing.pictures.hands import HANDS, written
from testing.pictures.kinds import KINDS
from testing.pictures.several import several

PENS = (0.08, 0.11, 0.14)
FORMAT = ImageFormat(height=28, width=28, framing="mnist")
LARGE = "12 megapixels"  # kinds that take long to draw


def likeness(pixels: np.ndarray) -> np.ndarray:
    """Return blurred pixels with mean 0 and length 1: their product is their correlation."""
    values = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1)), float).ravel()
    values -= values.mean()
    return values / np.linalg.norm(values)


@pytest.fixture(scope="module")
def clean() -> tuple[np.ndarray, np.ndarray]:
    """Return drawings of each digit in each hand and pen, and their digits."""
    rng = np.random.default_rng(0)
    drawings = [
        (digit, written(digit, rng, 200, pen, hand))
        for digit, hands in HANDS.items()
        for hand in range(len(hands))
        for pen in PENS
        for _ in range(3)
    ]
    pixels = [framed(encode((255 * np.pad(ink, 20)).astype(np.uint8))) for _, ink in drawings]
    return np.stack([likeness(each) for each in pixels]), np.array([digit for digit, _ in drawings])


def read(pixels: np.ndarray, clean: tuple[np.ndarray, np.ndarray]) -> int:
    drawings, digits = clean
    return int(digits[(drawings @ likeness(pixels)).argmax()])


def answered(data: bytes, clean: tuple[np.ndarray, np.ndarray]) -> int | None:
    """Return the digit of a picture, None where it is refused."""
    try:
        return read(framed(data), clean)
    except Unprocessable:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_digits_are_found_in_pictures_of_every_kind(kind: str, clean: tuple[np.ndarray, np.ndarray]) -> None:
    seed = zlib.crc32(kind.encode())
    digits = range(0, 10, 4) if LARGE in kind else range(10)
    rng = np.random.default_rng(seed)
    found = {digit: answered(KINDS[kind](digit, rng), clean) for digit in digits}
    wrong = {digit: label for digit, label in found.items() if digit != label}
    assert len(wrong) <= len(digits) // 10, wrong


@pytest.mark.slow
def test_several_digits_are_refused_or_split_from_left_to_right(clean: tuple[np.ndarray, np.ndarray]) -> None:
    right = 0
    for number in range(20):
        data, digits = several(np.random.default_rng(number))
        with pytest.raises(Unprocessable, match=f"has {len(digits)} separate large marks"):
            framed(data)
        [found] = frame_uploads([Upload("", data)], FORMAT, Settings.from_environ({}), split=True)
        pixels = [np.frombuffer(each.pixels, np.uint8).reshape(28, 28) for each in found]
        right += [read(each, clean) for each in pixels] == digits
    assert right >= 19
