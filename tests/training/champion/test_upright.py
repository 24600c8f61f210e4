import numpy as np
import pytest
import tensorflow as tf

from tests.digits import digits
from training import network
from training.champion.upright import X, Y, probabilities, upright

pytestmark = pytest.mark.slow
IMAGES, _ = digits(20, seed=5)


def stroke(lean: float, right: int = 0, down: int = 0) -> np.ndarray:
    """Return a soft stroke, 16 pixels high, that goes `lean` pixels to the left for each row down."""
    x, y = X - right, Y - down
    level = 255 * np.exp(-((x + lean * y) ** 2) / 4) * (np.abs(y) < 8)
    return level.round().astype(np.uint8).reshape(1, 28, 28)


def lean(image: np.ndarray) -> float:
    ink = image.reshape(-1) / image.sum()
    x, y = X - ink @ X, Y - ink @ Y
    return float((ink @ (x * y)) / (ink @ (y * y)))


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0.3, 0.7])
def test_a_leaning_stroke_is_set_upright(slant: float) -> None:
    assert lean(stroke(slant)) == pytest.approx(-slant, abs=0.05)
    assert lean(upright(tf.constant(stroke(slant))).numpy()) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -4), (-2, 5)])
def test_the_centre_of_the_ink_moves_to_the_middle(right: int, down: int) -> None:
    moved = upright(tf.constant(stroke(0, right, down))).numpy().reshape(-1)
    assert moved @ X / moved.sum() == pytest.approx(0, abs=0.02)
    assert moved @ Y / moved.sum() == pytest.approx(0, abs=0.02)


def test_what_stands_upright_in_the_middle_stays_as_it_is() -> None:
    np.testing.assert_allclose(upright(tf.constant(stroke(0))).numpy().astype(int), stroke(0).astype(int), atol=8)


@pytest.mark.parametrize("level", [0, 255])
def test_an_even_image_stays_as_it_is(level: int) -> None:
    image = np.full((1, 28, 28), level, np.uint8)
    np.testing.assert_array_equal(upright(tf.constant(image)).numpy(), image)


def test_an_image_alone_or_among_others_comes_out_the_same() -> None:
    together = upright(tf.constant(IMAGES)).numpy()
    for image, among in zip(IMAGES, together, strict=True):
        np.testing.assert_array_equal(upright(tf.constant(image[np.newaxis])).numpy()[0], among)


def test_probabilities_are_those_of_the_upright_images_at_a_temperature() -> None:
    weights = [tf.constant(w) for w in network.build(784, 10, 0.0, seed=1).get_weights()]
    said = probabilities(weights, tf.constant(IMAGES), temperature=2.0).numpy()
    expected = np.sqrt(network.probabilities(weights, upright(tf.constant(IMAGES))).numpy())
    np.testing.assert_allclose(said, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)
