import contextlib
import itertools

import numpy as np
import pytest

from serving.gateway.errors import Unprocessable
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.ground import ground_of
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings
from testing.encoded import encode

FORMAT = ImageFormat(height=28, width=28, framing="mnist")
WIDEST = 0.4


def by_definition(levels: np.ndarray, widest: float) -> np.ndarray:
    """Return the grey opening of levels, which beyond the border are mirrored in it."""
    size = max(3, round(widest * min(levels.shape)))
    for reach, extreme in ((size, np.min), (size + 2, np.max)):
        before, after = reach // 2, reach - 1 - reach // 2
        for _ in range(2):
            padded = np.pad(levels, ((0, 0), (before, after)), "reflect", reflect_type="odd")
            levels = extreme(np.lib.stride_tricks.sliding_window_view(padded, reach, axis=1), axis=2).T
    return levels


@pytest.mark.parametrize(("height", "width"), [*itertools.product(range(1, 6), repeat=2), (40, 33), (64, 100)])
def test_ground_is_the_grey_opening_of_images_of_any_size(height: int, width: int) -> None:
    levels = np.random.default_rng(height * width).integers(0, 256, (height, width), np.uint8)
    ground = ground_of(levels, np.float32(-10), WIDEST, dark=False)
    np.testing.assert_array_equal(ground, by_definition(levels.astype(np.int16), WIDEST) - 10)


@pytest.mark.parametrize(("height", "width"), [*itertools.product((1, 2, 3), repeat=2)])
def test_tiny_pictures_are_framed_or_blank(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        file = encode(rng.integers(0, 256, (height, width, 3), np.uint8))
        with contextlib.suppress(Unprocessable):
            [[framed]] = frame_uploads([Upload("", file)], FORMAT, Settings.from_environ({}))
            assert len(framed.pixels) == 28 * 28
