"""The digits that the champion is measured on: their strokes as wide as they should be, whole, with open holes."""

import numpy as np
import pytest
from scipy.ndimage import label

from benchmarks.camera import FINER
from benchmarks.redrawn import redrawn
from benchmarks.reshaped import HANDS, LINE, Hand, reshaped, with_outline_moved
from serving.gateway.imaging.strokes import stroke_width
from testing.digits import digits

IMAGES, LABELS = digits(10, seed=6)


@pytest.mark.parametrize("outwards", [-0.5, 0.3, 0.6])
@pytest.mark.parametrize("image", IMAGES[[1, 2, 5, 7]])
def test_an_outline_that_moves_makes_strokes_wider_by_twice_as_much(image: np.ndarray, outwards: float) -> None:
    before, after = (stroke_width(with_outline_moved(image, move)) / FINER for move in (0.0, outwards))
    assert after - before == pytest.approx(2 * outwards, abs=0.35)


@pytest.mark.parametrize("image", IMAGES)
def test_the_thinnest_strokes_are_a_whole_line(image: np.ndarray) -> None:
    line = with_outline_moved(image, -10)
    assert label(line > 0.1, np.ones((3, 3)))[1] == 1
    assert stroke_width(line) / FINER == pytest.approx(2 * LINE, rel=0.5)


@pytest.mark.parametrize("image", IMAGES[[0, 6, 8, 9]])
def test_the_fattest_strokes_leave_holes_open(image: np.ndarray) -> None:
    holes = [label(with_outline_moved(image, move) < 0.5)[1] for move in (0.0, 4.0)]
    assert holes[0] == holes[1] > 1


@pytest.mark.slow
@pytest.mark.parametrize("hand", [None, *HANDS.values()])
def test_photographs_are_framed_and_a_seed_decides_them(hand: Hand | None) -> None:
    first, again, other = (reshaped(IMAGES, hand, seed) if hand else redrawn(IMAGES, seed) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((10, 28, 28), np.uint8)
    assert (first.max(axis=(1, 2)) >= 254).all()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).all()
