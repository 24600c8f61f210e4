from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving.gateway.errors import Unprocessable
from testing import encoded
from testing.encoded import drawn, encode


def framed(image: Image.Image | np.ndarray) -> np.ndarray:
    return encoded.framed(encode(image))


MNIST = [Path(__file__).parents[3] / "data" / f"{part}-images-idx3-ubyte" for part in ("train", "t10k")]
SAMPLE = 2000  # of 70,000 images
FRAMED = [framed(drawn(label)) for label in range(10)]


def box(image: np.ndarray, least: int) -> tuple[int, int]:
    """Return height and width of what is at least `least` in `image`."""
    rows, columns = np.nonzero(image >= least)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize("image", FRAMED)
def test_a_frame_is_filled_as_mnists_are(image: np.ndarray) -> None:
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert max(box(image, least=20)) == 20
    assert image.max() >= 254
    rows, columns = np.indices(image.shape)
    for places in (rows, columns):
        assert 13.5 <= (image * places).sum() / image.sum() < 14.5


@pytest.mark.parametrize("image", FRAMED)
def test_what_is_framed_already_stays_as_it_is(image: np.ndarray) -> None:
    np.testing.assert_array_equal(framed(image), image)
    np.testing.assert_array_equal(framed(255 - image), image)


@pytest.mark.parametrize("place", [(0, 0), (4, 0), (0, 8), (3, 5)])
def test_where_the_digit_lies_does_not_matter(place: tuple[int, int]) -> None:
    sheet = np.zeros((36, 36), np.uint8)
    sheet[place[0] : place[0] + 28, place[1] : place[1] + 28] = FRAMED[4]
    np.testing.assert_array_equal(framed(sheet), FRAMED[4])


@pytest.mark.parametrize("size", [(60, 65), (120, 130), (180, 195)])
@pytest.mark.parametrize("label", range(10))
def test_how_large_the_digit_is_hardly_matters(label: int, size: tuple[int, int]) -> None:
    smaller = framed(drawn(label).resize(size, Image.Resampling.BOX))
    # A centre of mass that is half-way between two pixels may fall to either.
    shifted = [np.roll(smaller, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    assert max(np.corrcoef(image.ravel(), FRAMED[label].ravel())[0, 1] for image in shifted) > 0.9


def test_a_tall_digit_stays_slim() -> None:
    sheet = np.zeros((200, 300), np.uint8)
    sheet[20:180, 140:156] = 255
    assert box(framed(sheet), least=128) == (20, 2)


def test_specks_of_dirt_do_not_count() -> None:
    sheet = np.zeros((120, 120), np.uint8)
    sheet[40:80, 50:60] = 255
    clean = framed(sheet)
    sheet[3, 3] = sheet[116, 70] = sheet[60, 115] = 200
    np.testing.assert_array_equal(framed(sheet), clean)


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (2, 3), (7, 300)])
def test_no_shape_of_image_is_too_odd(shape: tuple[int, int]) -> None:
    sheet = np.zeros(shape, np.uint8)
    sheet[-1, -1] = 255
    assert framed(sheet).max() >= 254


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (32, 48), (64, 64)])
def test_the_frame_has_the_size_that_the_manifest_says(height: int, width: int) -> None:
    image = encoded.framed(encode(drawn(3)), height, width)
    assert image.shape == (height, width)
    assert max(box(image, least=20)) == pytest.approx(min(height, width) * 20 / 28, abs=1)


@pytest.mark.skipif(not all(file.exists() for file in MNIST), reason="needs MNIST in data/: make data")
@pytest.mark.slow
def test_mnist_itself_stays_as_it_is() -> None:
    """A sample; `make verify-uploads` takes all."""
    images = np.concatenate([np.frombuffer(file.read_bytes()[16:], np.uint8).reshape(-1, 28, 28) for file in MNIST])
    for image in np.random.default_rng(0).choice(images, SAMPLE, replace=False):
        np.testing.assert_array_equal(framed(image), image)


def test_a_comb_of_many_marks_is_not_one_digit() -> None:
    comb = np.full((1, 127), 255, np.uint8)
    comb[:, 1::2] = 0
    with pytest.raises(Unprocessable, match="separate large marks, not one digit"):
        framed(comb)
