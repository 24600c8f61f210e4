import numpy as np
import pytest

from serving.gateway.imaging.foreground import NoInk, find_ink
from serving.gateway.imaging.masks import grown

STROKE = (slice(30, 100), slice(60, 68))


def page(ground: np.ndarray | float, ink: float, noise: float = 0.0) -> np.ndarray:
    """Return a page of [128, 128, 1] with a vertical stroke on it."""
    levels = np.zeros((128, 128)) + ground
    levels[STROKE] += ink
    levels += np.random.default_rng(0).normal(0, noise, levels.shape)
    return levels.clip(0, 255).astype(np.float32)[:, :, np.newaxis]


@pytest.mark.parametrize(
    "image",
    [
        page(0, 255),
        page(255, -255),
        page(200, -40),
        page(90, 60),
        page(np.linspace(120, 220, 128), -60, noise=4),
        page(np.linspace(120, 220, 128)[:, np.newaxis] + np.linspace(0, 30, 128), -60, noise=4),
        page(128, -100, noise=8),
    ],
    ids=["light on dark", "dark on light", "faint", "light on grey", "side light", "slanting light", "noise"],
)
def test_the_stroke_is_found_and_nothing_else(image: np.ndarray) -> None:
    _, strong = find_ink(image)
    expected = np.zeros((128, 128), bool)
    expected[STROKE] = True
    assert (strong & expected).sum() > 0.97 * expected.sum()
    assert (strong & ~expected).sum() <= 1  # of 16,384 pixels, the noise of one


def test_a_stroke_across_the_border_does_not_tilt_the_ground() -> None:
    image = page(np.linspace(120, 220, 128), 0, noise=2)
    across = np.zeros((128, 128), bool)
    across[:, 90:106] = True
    image[across] -= 110
    _, strong = find_ink(image)
    assert (strong == across).mean() > 0.99


@pytest.mark.parametrize(("ink", "ground"), [((200, 30, 40), (60, 150, 70)), ((0, 0, 255), (0, 0, 0))])
def test_colours_of_like_brightness_are_told_apart(ink: tuple, ground: tuple) -> None:
    image = np.zeros((128, 128, 3), np.float32) + np.array(ground, np.float32)
    image[STROKE] = ink
    _, strong = find_ink(image)
    assert strong[STROKE].all()
    assert strong.sum() == strong[STROKE].size


@pytest.mark.parametrize(
    "image",
    [page(0, 0), page(255, 0), page(180, 0, noise=5), page(np.linspace(100, 230, 128), 0, noise=2), page(90, 5)],
    ids=["black", "white", "noise", "side light", "too faint"],
)
def test_a_blank_page_has_no_ink(image: np.ndarray) -> None:
    with pytest.raises(NoInk):
        find_ink(image)


def test_grown_adds_the_eight_neighbours() -> None:
    mask = np.zeros((4, 5), bool)
    mask[0, 0] = mask[2, 3] = True
    assert grown(mask).astype(int).tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]]


def expect_the_stroke_alone(light: np.ndarray) -> None:
    """Draw a stroke in this light, and expect that nothing else is ink."""
    image = light.copy()
    image[STROKE] = 0.15 * light[STROKE]
    _, strong = find_ink(image.astype(np.uint8)[:, :, np.newaxis])
    expected = np.zeros((128, 128), bool)
    expected[STROKE] = True
    assert (strong & expected).sum() > 0.97 * expected.sum()
    assert (strong & ~expected).sum() < 0.25 * expected.sum()


@pytest.mark.parametrize("depth", [40, 90])
def test_the_shadow_of_a_phone_is_no_ink(depth: int) -> None:
    light = np.full((128, 128), 220.0)
    light[20:60, 30:] -= depth
    expect_the_stroke_alone(light)


@pytest.mark.parametrize("degrees", [20, 45, 70, 200])
def test_the_corners_of_a_turned_shadow_are_no_ink(degrees: int) -> None:
    y, x = np.indices((128, 128))
    angle = np.radians(degrees)
    along, across = (
        (x - 64) * np.cos(angle) + (y - 64) * np.sin(angle),
        (y - 64) * np.cos(angle) - (x - 64) * np.sin(angle),
    )
    light = np.where((along > -10) & (np.abs(across) < 30), 120.0, 220.0)
    expect_the_stroke_alone(light)
