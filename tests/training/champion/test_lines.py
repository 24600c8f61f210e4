import numpy as np
import pytest
from scipy import ndimage

from testing.digits import digits
from training.champion import lines
from training.champion.upright import X, Y

pytestmark = pytest.mark.slow
IMAGES, _ = digits(200, seed=6)
EVERY_NEIGHBOUR = np.ones((3, 3), bool)


def shapes() -> np.ndarray:
    return IMAGES.repeat(2, axis=1).repeat(2, axis=2) > 127


def test_a_bar_is_thinned_to_its_middle() -> None:
    bar = np.zeros((1, 20, 40), bool)
    bar[0, 5:12, 4:36] = True
    line = lines.thinned(bar)[0]
    assert (line.sum(axis=0) <= 1).all()
    assert set(np.nonzero(line)[0]) == {8}
    assert line[8, 8:32].all()


def test_lines_keep_the_pieces_and_the_holes_of_shapes_and_are_thin() -> None:
    for shape, line in zip(shapes(), lines.thinned(shapes()), strict=True):
        assert not (line & ~shape).any()
        assert ndimage.label(line, EVERY_NEIGHBOUR)[1] == ndimage.label(shape, EVERY_NEIGHBOUR)[1]
        assert ndimage.label(~line)[1] == ndimage.label(~shape)[1]
        assert not ndimage.binary_erosion(line, EVERY_NEIGHBOUR).any()


def test_a_shape_alone_or_among_others_has_the_same_lines() -> None:
    together = lines.thinned(shapes())
    for shape, line in zip(shapes()[:20], together, strict=False):
        np.testing.assert_array_equal(lines.thinned(shape[np.newaxis])[0], line)


@pytest.mark.parametrize("half", [1.0, 2.0, 3.0])
def test_nearness_falls_with_the_distance_from_a_strokes_middle(half: float) -> None:
    stroke = np.where((np.abs(X) <= half) & (np.abs(Y) <= 9), 255, 0).astype(np.uint8).reshape(1, 28, 28)
    row = lines.nearness(stroke)[0, 14].astype(float)
    distance = (1 - row / 255) * lines.REACH
    expected = np.minimum(np.abs(np.arange(28) - 13.5), lines.REACH)
    np.testing.assert_allclose(distance, expected, atol=0.5)  # the line lies on either side of the middle
    assert (row[:10] == 0).all()


def test_a_blank_image_is_near_nothing() -> None:
    assert not lines.nearness(np.zeros((2, 28, 28), np.uint8)).any()


def test_a_finer_image_goes_evenly_from_pixel_to_pixel() -> None:
    ramp = np.broadcast_to(8 * np.arange(28, dtype=np.uint8), (1, 28, 28))
    finer = lines._finer(ramp)[0]
    np.testing.assert_array_equal(finer[2:-2, 1:-1] / 16, np.tile(np.arange(2, 218, 4), (52, 1)))
