import numpy as np
import pytest
import tensorflow as tf

from testing.digits import digits
from training.champion import distort
from training.champion.lines import REACH, nearness
from training.champion.upright import X, Y

pytestmark = pytest.mark.slow
IMAGES, _ = digits(200, seed=4)
NEARNESS = nearness(IMAGES)
KEY = tf.constant([1, 0])


def moved(turn: float = 0, wide: float = 0, high: float = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where each pixel comes from when a digit is turned and stretched, and nothing else."""
    return distort._affine(*(tf.constant([[amount]], tf.float32) for amount in (turn, wide, high, 0)))


def test_places_in_the_middle_of_pixels_give_the_pixels() -> None:
    x, y = (np.tile(grid, (len(IMAGES), 1)).astype(np.float32) for grid in (X, Y))
    np.testing.assert_array_equal(distort._sample(tf.constant(IMAGES), x, y).numpy(), IMAGES)


def test_places_between_pixels_give_their_mean_and_those_outside_nothing() -> None:
    image = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)
    x, y = np.full((1, 784), 0.5, np.float32), np.full((1, 784), 1.5, np.float32)
    x[0, 1], y[0, 2] = 100, -100
    found = distort._sample(tf.constant(image), x, y).numpy().reshape(-1)
    right, below = 14, 15  # of the middle, which is half-way between pixels: 0.5 is the pixel after it
    assert found[0] == image[0, below, right]
    assert found[1:3] == pytest.approx(0, abs=0.01)
    half = distort._sample(tf.constant(image), x + 0.5, y).numpy().reshape(-1)[0]
    assert half == image[0, below, right : right + 2].astype(float).mean()


def test_without_amounts_nothing_moves() -> None:
    x, y = moved()
    np.testing.assert_allclose(x[0], X)
    np.testing.assert_allclose(y[0], Y)


def test_a_turn_keeps_distances() -> None:
    x, y = moved(turn=1)
    np.testing.assert_allclose(np.hypot(x[0], y[0]), np.hypot(X, Y), rtol=1e-5)
    angle = np.arctan2(y[0], x[0]) - np.arctan2(Y, X)
    np.testing.assert_allclose(np.cos(angle), np.cos(distort.TURN), atol=1e-5)


@pytest.mark.parametrize(("wide", "high"), [(-1, 0), (0, 1), (1, -1)])
def test_a_digit_is_stretched_along_each_axis(wide: float, high: float) -> None:
    x, y = moved(wide=wide, high=high)
    factors = np.exp(np.array([wide, high]) * distort.STRETCH)
    np.testing.assert_allclose([x[0], y[0]], [X * factors[0], Y * factors[1]], rtol=1e-5)


def test_bends_are_smooth_and_as_strong_as_they_should_be() -> None:
    bends = distort._bends(tf.constant(2000), KEY).numpy().reshape(2, 2000, 28, 28)
    expected = distort.BEND * np.sqrt(np.outer((distort.SPLINES**2).sum(1), (distort.SPLINES**2).sum(1)))
    np.testing.assert_allclose(bends.std(axis=(0, 1)), expected, rtol=0.06)
    assert np.abs(np.diff(bends, axis=-1)).max() < distort.BEND  # pixels from one to the next


def test_the_thickest_strokes_are_wider_by_one_neighbour_and_half_the_next() -> None:
    dot = np.zeros((1, 28, 28), np.float32)
    dot[0, 10, 10] = 200
    drawn = distort._with_strokes(tf.constant(dot), tf.fill([1, 1, 1], 1.0)).numpy()
    np.testing.assert_allclose(drawn[0, 10, 6:15], [0, 0, 100, 200, 200, 200, 100, 0, 0], rtol=1e-6)


@pytest.mark.parametrize(("amount", "sign"), [(1.0, 1), (-1.0, -1), (0.0, 0)])
def test_strokes_become_thicker_or_thinner(amount: float, sign: int) -> None:
    levels = tf.constant(IMAGES, tf.float32)
    drawn = distort._with_strokes(levels, tf.fill([len(IMAGES), 1, 1], amount)).numpy()
    change = drawn.sum(axis=(1, 2)) - IMAGES.sum(axis=(1, 2))
    assert (np.sign(np.round(change)) == sign).all()


@pytest.mark.parametrize(("width", "half"), [(-1.0, distort.PEN[0]), (1.0, distort.PEN[1])])
def test_a_pen_draws_strokes_of_its_width_along_lines(width: float, half: float) -> None:
    away = np.abs(X).reshape(1, 28, 28)  # from a line down the middle
    near = tf.constant(255 * np.maximum(1 - away / REACH, 0), tf.float32)
    drawn = distort._with_pen(near, tf.fill([1, 1, 1], width)).numpy()
    np.testing.assert_allclose(drawn.sum(axis=2) / 255, 2 * half, rtol=1e-4)


def test_all_strokes_become_dark_but_not_what_is_hardly_there() -> None:
    levels = np.stack([IMAGES[0] * 0.5, IMAGES[0] * 0.01]).astype(np.float32)
    np.testing.assert_allclose(distort._dark(tf.constant(levels)).numpy().max(axis=(1, 2)), [255, 20.3], rtol=0.01)


def test_each_image_is_distorted_in_its_own_way_which_the_key_decides() -> None:
    same, near = (tf.constant(np.repeat(some[:1], 50, axis=0)) for some in (IMAGES, NEARNESS))
    first = distort.distort(same, near, KEY).numpy()
    assert len({image.tobytes() for image in first}) == 50
    np.testing.assert_array_equal(distort.distort(same, near, KEY).numpy(), first)
    assert not (distort.distort(same, near, KEY + 2).numpy() == first).all()


def test_digits_keep_most_of_their_ink_and_their_place() -> None:
    drawn = distort.distort(tf.constant(IMAGES), tf.constant(NEARNESS), KEY).numpy()
    assert drawn.dtype == np.uint8
    ratio = drawn.sum(axis=(1, 2), dtype=float) / IMAGES.sum(axis=(1, 2), dtype=float)
    assert 0.2 < ratio.min() < ratio.max() < 4
    assert np.corrcoef(drawn.reshape(-1), IMAGES.reshape(-1))[0, 1] > 0.5
