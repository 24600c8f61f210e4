import numpy as np
import pytest

from serving.gateway.imaging.boxes import SIDE, without_box
from testing.encoded import encode, framed
from testing.pictures.hands import HANDS, written


def boxed(digit: int, wide: int = 3, slant: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a digit, bool `[h, w]`, and the digit in a box that touches its top and bottom."""
    ink = np.pad(written(digit, np.random.default_rng(1), 90, 0.09, 0) > 0.5, ((0, 0), (25, 25)))
    rows = np.flatnonzero(ink.any(axis=1))
    ink = ink[rows[0] : rows[-1] + 1]
    both = ink.copy()
    both[:wide] = both[-wide:] = True
    for row in range(len(both)):
        shift = slant * row // len(both)
        both[row, shift : shift + wide] = both[row, both.shape[1] - wide - shift : both.shape[1] - shift] = True
    return ink, both


@pytest.mark.parametrize("digit", HANDS)
@pytest.mark.parametrize("slant", [0, 6])
def test_a_digit_that_touches_its_box_is_told_from_it(digit: int, slant: int) -> None:
    ink, both = boxed(digit, slant=slant)
    inside = without_box(both)
    assert inside is not None
    assert (inside & ~ink).sum() < 0.02 * ink.sum()
    assert (ink[5:-5] & ~inside[5:-5]).sum() == 0


def test_the_digit_is_read_without_the_box() -> None:
    ink, both = boxed(4)
    alone, with_box = (framed(encode(np.pad(each * np.uint8(255), 40))) for each in (ink, both))
    assert np.corrcoef(alone.ravel(), with_box.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("digit", HANDS)
def test_digits_alone_and_empty_boxes_are_left_as_they_are(digit: int) -> None:
    for hand in range(len(HANDS[digit])):
        assert without_box(written(digit, np.random.default_rng(0), 100, 0.1, hand) > 0.5) is None
    _, both = boxed(digit)
    empty = np.ones_like(both)
    empty[3:-3, 3:-3] = False
    assert without_box(empty) is None
    assert without_box(both[: SIDE - 1]) is None


def test_the_eight_of_a_clocks_display_is_no_box() -> None:
    eight = np.ones((90, 50), bool)
    eight[6:42, 6:-6] = eight[48:-6, 6:-6] = False
    assert without_box(eight) is None
