import numpy as np
import pytest

from testing.digits import digits
from training.champion import hands
from training.champion.upright import X, Y
from training.data import SIDE

DIGITS, LABELS = digits(200, seed=8)
TOP = SIDE / 2 - 9.5  # the first row of the strokes drawn below
LEANS = np.tile([-0.4, 0.0, 0.5], 100)


def line(lean: float, half: float = 1.2) -> np.ndarray:
    """Return a stroke, 19 pixels high, that goes `lean` pixels to the right for each row down, uint8 `[28, 28]`."""
    away = np.abs(X - lean * Y) / np.hypot(1, lean)
    level = np.clip(half + 0.5 - away, 0, 1) * (np.abs(Y) < 9.5)
    return np.rint(255 * level).astype(np.uint8).reshape(SIDE, SIDE)


LINES = np.stack([line(lean) for lean in LEANS])


def flags() -> np.ndarray:
    """Return the ink that flags add to the lines, bool `[n, 28, 28]`."""
    flagged = hands.with_flags(LINES, np.random.default_rng(1))
    assert (flagged >= LINES).all()
    return flagged > LINES.astype(int) + 127


def test_a_flag_starts_at_the_upper_end_and_goes_down_to_the_left() -> None:
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    for lean, flag in zip(LEANS, flags(), strict=True):
        x, y = columns[flag], rows[flag]
        end = 13.5 + lean * (TOP - 13.5)
        assert (x < 15 + lean * (y - 13.5)).all()  # left of the stroke, at its slant
        if len(y):
            assert y.min() < TOP + 5
            assert np.hypot(x - end, y - TOP).min() < 5


def test_a_flag_slants_as_its_stroke_does() -> None:
    columns, rows = np.meshgrid(np.arange(SIDE) - 13.5, np.arange(SIDE) - TOP)
    middles = {}
    for lean in (0.0, 0.5):
        lines = np.repeat(line(lean)[np.newaxis], 50, axis=0)
        ink = hands.with_flags(lines, np.random.default_rng(1)).astype(float) - lines
        mass = ink.sum(axis=(1, 2))
        middles[lean] = (
            (ink * (columns - lean * (TOP - 13.5))).sum(axis=(1, 2)) / mass,
            (ink * rows).sum(axis=(1, 2)) / mass,
        )
    (plain, _), (slanted, down) = middles[0.0], middles[0.5]
    assert np.median(slanted - plain - 0.5 * down) == pytest.approx(0, abs=0.6)


def test_flags_are_as_long_as_they_should_be() -> None:
    upright = flags()[LEANS == 0]
    reach = np.array([13.5 - np.flatnonzero(flag.any(axis=0)).min() if flag.any() else 0 for flag in upright])
    assert reach.max() == pytest.approx(hands.FLAG[1] * 19, abs=1.0)
    assert reach.min() < 4
    lowest = np.array([np.flatnonzero(flag.any(axis=1)).max(initial=0) for flag in upright])
    assert lowest.max() < TOP + hands.FLAG[1] * hands.STEEP[1] * 19 + 2


def test_a_one_that_is_no_thin_line_stays_as_it_is() -> None:
    flagged = hands.with_flags(LINES[1:2], np.random.default_rng(1))
    others = np.concatenate([flagged, line(0, half=5)[np.newaxis], DIGITS[LABELS == 0], np.zeros_like(flagged)])
    np.testing.assert_array_equal(hands.with_flags(others, np.random.default_rng(2)), others)


def test_a_share_of_the_ones_and_nothing_else_gets_flags() -> None:
    images, labels = np.concatenate([LINES, LINES, DIGITS]), np.repeat([1, 7, 0], [300, 300, 200])
    before = images.copy()
    changed = (hands.flag_ones(images, labels, 0.4, seed=1) != images).any(axis=(1, 2))
    np.testing.assert_array_equal(images, before)
    assert changed[:300].mean() == pytest.approx(0.4, abs=0.1)
    assert not changed[300:].any()
    assert not (hands.flag_ones(images, labels, 0.0, seed=1) != images).any()


def test_a_seed_decides_the_flags() -> None:
    labels = np.ones(len(LINES), int)
    first, again, other = (hands.flag_ones(LINES, labels, 0.5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
