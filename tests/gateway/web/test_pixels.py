import numpy as np
import pytest

from serving.gateway.errors import TooLarge, Unprocessable
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.web.pixels import read_octets

IMAGE = ImageFormat(height=28, width=28, framing="mnist")
DIGIT = np.zeros((28, 28), np.uint8)
DIGIT[4:24, 12:16] = np.linspace(20, 255, 80).reshape(20, 4)
SMOOTH = DIGIT / 255  # of 0…1
MOST = 300  # images


def read(pixels: np.ndarray, scale: int = 255) -> bytes:
    return read_octets(pixels.tobytes(), IMAGE, scale, MOST)


def refusal(pixels: np.ndarray, scale: int = 255) -> str:
    with pytest.raises(Unprocessable) as caught:
        read(pixels, scale)
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 4, 8])
@pytest.mark.parametrize(
    "image",
    [DIGIT, 255 - DIGIT, DIGIT // 4, DIGIT // 100, DIGIT * 0, np.full_like(DIGIT, 255), DIGIT % 64, DIGIT * 0 + 1],
    ids=["digit", "dark", "dim", "faint", "blank", "white", "low", "even"],
)
def test_bytes_are_pixels(image: np.ndarray, count: int) -> None:
    assert read(np.stack([image] * count)) == image.tobytes() * count


def test_noise_is_pixels() -> None:
    rng = np.random.default_rng(1)
    for most in range(2, 257):
        noise = rng.integers(0, most, (8, 28, 28), np.uint8) + (most == 2)
        assert read(noise) == noise.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 3, 300])
def test_floats_are_named_with_their_scale(dtype: str, count: int) -> None:
    stack = np.stack([SMOOTH] * count).astype(dtype)
    remedy = "Send a byte a pixel, 0…255"
    assert refusal(stack) == f"The body looks like {dtype} pixels of 0…1. {remedy}, or add ?scale=1."
    for scale in (255, 1):
        assert refusal(stack * 255, scale) == f"The body looks like {dtype} pixels of 0…255. {remedy}."
        assert refusal(stack * 2 - 1, scale) == f"The body looks like {dtype} pixels of -1…1. {remedy}."
        assert refusal((stack - 0.1307) / 0.3081, scale).startswith(f"The body looks like {dtype} pixels of -0.424…2.8")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_of_0_to_1_are_read_at_scale_1(dtype: str) -> None:
    assert read(np.stack([SMOOTH, SMOOTH * 0]).astype(dtype), scale=1) == DIGIT.tobytes() + bytes(784)


def test_bytes_of_0_and_1_are_read_at_scale_1() -> None:
    binary = (DIGIT > 0).astype(np.uint8)
    for count in (1, 4):
        stack = np.stack([binary] * count)
        assert refusal(stack) == (
            "No byte of the body is above 1: the pixels look scaled to 0…1. Send 0…255, or add ?scale=1."
        )
        assert read(stack, scale=1) == (stack * 255).tobytes()


def test_other_bytes_are_refused_at_scale_1() -> None:
    assert refusal(DIGIT, scale=1) == "The body has bytes up to 255; ?scale=1 takes pixels of 0…1."


@pytest.mark.parametrize("scale", [1, 255])
@pytest.mark.parametrize("size", [0, 1, 783, 785])
def test_parts_of_images_are_refused(size: int, scale: int) -> None:
    assert refusal(np.zeros(size, np.uint8), scale).startswith(f"The body has {size} bytes; images of 28 × 28 pixels")


@pytest.mark.parametrize("scale", [1, 255])
def test_more_bytes_than_images_may_have_are_not_looked_at(scale: int) -> None:
    with pytest.raises(
        TooLarge, match="The body has 1,881,601 bytes; at most 300 images are taken, of 1,881,600 bytes."
    ):
        read(np.zeros(MOST * 28 * 28 * 8 + 1, np.uint8), scale)
