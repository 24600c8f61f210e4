import numpy as np
import pytest
import tensorflow as tf

from testing.digits import digits
from training import network
from training.champion.upright import ASPECT, SPREAD, X, Y, probabilities, upright

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


def ellipse(across: float, down: float) -> np.ndarray:
    """Return an ellipse of ink whose deviations from the middle are so many pixels."""
    from_the_middle = np.hypot(X / across, Y / down) / 2  # 1 at the edge
    level = 255 * np.clip((1 - from_the_middle) * 2 * min(across, down) + 0.5, 0, 1)
    return level.round().astype(np.uint8).reshape(1, 28, 28)


def deviations(image: np.ndarray) -> tuple[float, float]:
    """Return those of centred ink, across and down."""
    ink = image.reshape(-1) / image.sum()
    return float(np.sqrt(ink @ X**2)), float(np.sqrt(ink @ Y**2))


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0.3, 0.7])
def test_a_leaning_stroke_is_set_upright(slant: float) -> None:
    assert lean(stroke(slant)) == pytest.approx(-slant, abs=0.05)
    assert lean(upright(tf.constant(stroke(slant))).numpy()) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -4), (-2, 5)])
def test_the_centre_of_the_ink_moves_to_the_middle(right: int, down: int) -> None:
    moved = upright(tf.constant(stroke(0, right, down))).numpy().reshape(-1)
    assert moved @ X / moved.sum() == pytest.approx(0, abs=0.02)
    assert moved @ Y / moved.sum() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("across", "down"), [(2.0, 4.0), (3.0, 5.0), (3.5, 2.5), (4.0, 4.0)])
def test_every_size_becomes_one_and_an_aspect_comes_half_way(across: float, down: float) -> None:
    wide, high = deviations(upright(tf.constant(ellipse(across, down))).numpy())
    assert np.hypot(wide, high) == pytest.approx(SPREAD, rel=0.03)
    assert wide / high == pytest.approx(np.sqrt(across / down * ASPECT), rel=0.02)


def test_what_is_upright_and_of_its_size_stays_as_it_is() -> None:
    down = SPREAD / np.hypot(1, ASPECT)
    image = ellipse(down * ASPECT, down)
    np.testing.assert_allclose(upright(tf.constant(image)).numpy().astype(int), image.astype(int), atol=8)


def test_a_blank_image_stays_as_it_is() -> None:
    blank = np.zeros((1, 28, 28), np.uint8)
    np.testing.assert_array_equal(upright(tf.constant(blank)).numpy(), blank)


def test_an_image_alone_or_among_others_comes_out_the_same() -> None:
    together = upright(tf.constant(IMAGES)).numpy()
    for image, among in zip(IMAGES, together, strict=True):
        np.testing.assert_array_equal(upright(tf.constant(image[np.newaxis])).numpy()[0], among)


def test_probabilities_are_those_of_the_upright_images_at_a_temperature() -> None:
    weights = [tf.constant(w) for w in network.build(784, 10, 0.0, seed=1).get_weights()]
    said = probabilities(weights, tf.constant(IMAGES), temperature=2.0).numpy()
    expected = np.sqrt(network.probabilities(weights, upright(tf.constant(IMAGES))).numpy())
    np.testing.assert_allclose(said, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)


def test_an_image_becomes_the_same_among_few_and_many() -> None:
    images, _ = digits(2000, seed=7)
    together = upright(tf.constant(images)).numpy()
    for i in range(0, len(images), 20):
        np.testing.assert_array_equal(upright(tf.constant(images[i : i + 3])), together[i : i + 3])
