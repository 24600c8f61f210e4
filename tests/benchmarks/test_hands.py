"""Digits drawn by strokes: whole, of the digit that they should be, decided by a seed."""

import numpy as np
import pytest
from scipy.ndimage import label

from benchmarks.hands import HANDS, Hand, drawn, inked

HOLES = {"4, closed": 1, "9, closed, straight leg": 1, "9, closed, bent leg": 1}


def ink(hand: Hand, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return inked(hand.draw(rng), rng)


@pytest.mark.parametrize("name", HANDS)
@pytest.mark.slow
def test_digits_are_one_piece_with_their_holes(name: str) -> None:
    drawings = [ink(HANDS[name], seed) for seed in range(20)]
    assert {label(drawing > 0.5, np.ones((3, 3)))[1] for drawing in drawings} == {1}
    assert np.median([label(drawing < 0.5, np.ones((3, 3)))[1] - 1 for drawing in drawings]) == HOLES.get(name, 0)


def test_a_flag_and_a_bar_and_a_foot_add_ink_where_they_belong() -> None:
    middle = slice(50, 62)  # columns of the stem of an upright 1
    flag = np.mean([ink(HANDS["1 with a flag"], s)[:, :44] for s in range(30)], axis=0)
    assert flag[:56].sum() > 10 * flag[70:].sum() > -1
    assert not np.mean([ink(HANDS["1, a line"], s)[:, :44] for s in range(30)])
    foot = np.mean([ink(HANDS["1 with a flag and a foot"], s) for s in range(30)], axis=0)
    assert foot[90:, 62:].sum() > 10 * foot[30:80, 64:].sum()
    crossed, plain = (np.mean([ink(HANDS[name], s) for s in range(60)], axis=0) for name in ("7, crossed", "7"))
    assert (crossed - plain)[40:72].sum() > 50 > (crossed - plain)[:30, middle].sum()


@pytest.mark.slow
def test_photographs_are_framed_and_a_seed_decides_them() -> None:
    first, again, other = (drawn(HANDS["1 with a flag"], 3, seed) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((3, 28, 28), np.uint8)
    assert (first.max(axis=(1, 2)) >= 254).all()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).all()
