import numpy as np
import pytest

from serving.gateway.imaging.levels import Floats
from serving.gateway.imaging.strokes import WIDTH, stroke_width, with_pen
from testing.encoded import encode, framed

PIXEL = 4


def ring(width: float, side: int = 80, level: float = 255) -> Floats:
    """Return a circle drawn with a pen of that width, anti-aliased, as high as the image but for its edges."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    away = np.abs(np.hypot(x, y) - (side / 2 - 2 - width / 2))
    return (level * np.clip(width / 2 + 0.5 - away, 0, 1)).astype(np.float32)


@pytest.mark.parametrize("width", [2, 4, 8, 12])
@pytest.mark.parametrize("level", [255, 80])
def test_the_width_of_strokes_is_measured_however_dark_they_are(width: float, level: float) -> None:
    assert stroke_width(ring(width, level=level)) == pytest.approx(width, rel=0.08)


def test_a_stroke_that_fills_the_image_has_a_width_too() -> None:
    assert stroke_width(np.full((8, 200), 255, np.float32)) == pytest.approx(8 * 4 / np.pi, rel=0.05)


@pytest.mark.parametrize("width", [2, 3, 5, 7])
def test_thin_strokes_become_as_wide_as_the_pen(width: float) -> None:
    widened = with_pen(ring(width), PIXEL)
    assert stroke_width(widened) == pytest.approx(WIDTH * PIXEL, rel=0.1)
    assert widened.shape[0] == widened.shape[1] > 80


def test_strokes_stay_where_they_are_on_average() -> None:
    widened = with_pen(ring(2), PIXEL)
    for places in np.indices(widened.shape):
        assert (widened * places).sum() / widened.sum() == pytest.approx((len(widened) - 1) / 2, abs=0.01)


@pytest.mark.parametrize("width", [9, 16, 30])
def test_strokes_that_are_wide_stay_as_they_are(width: float) -> None:
    np.testing.assert_array_equal(with_pen(ring(width), PIXEL), ring(width))


@pytest.mark.parametrize("width", [1, 2, 4, 10])
def test_a_large_drawing_in_a_thin_pen_does_not_fade(width: float) -> None:
    frame = framed(encode(ring(width, side=250).astype(np.uint8)))
    assert stroke_width(frame.astype(np.float32)) == pytest.approx(WIDTH, rel=0.2)
    assert np.ptp(np.flatnonzero((frame >= 20).any(axis=0))) + 1 == 20
    assert np.ptp(np.flatnonzero((frame >= 20).any(axis=1))) + 1 == 20


@pytest.mark.parametrize("side", [24, 30])
def test_ink_that_fits_the_frame_keeps_its_pen(side: int) -> None:
    thin = ring(1.5, side)
    frame = framed(encode(np.pad(thin, 4).astype(np.uint8)))
    assert stroke_width(frame.astype(np.float32)) < 2
