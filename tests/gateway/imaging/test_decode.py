import struct

import numpy as np
import pytest
from PIL import Image

from serving.gateway.imaging.decode import (
    FORMATS,
    TURNS,
    WORKING_SIDE,
    NotAnImage,
    TooManyPixels,
    UnreadFormat,
    open_image,
)
from serving.gateway.imaging.transparency import Ground, on_ground
from testing.encoded import drawn, encode, levels

LIMIT = 1_000_000
SHEET = drawn(7)
INK = np.asarray(SHEET) < 128
BACK = {**{turn: turn for turn in (2, 3, 4, 5, 7)}, 6: 8, 8: 6}  # the turn that undoes each


def coloured(ink: tuple[int, ...], ground: tuple[int, ...], mode: str) -> Image.Image:
    """Return the digit in these colours."""
    image = Image.new(mode, SHEET.size, ground)
    image.paste(ink, None, Image.fromarray(INK))
    return image


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read(format: str) -> None:
    found = levels(encode(SHEET, format))
    assert found.shape[:2] == INK.shape
    assert ((found.mean(axis=2) < 128) == INK).mean() > 0.99


@pytest.mark.parametrize(
    "image",
    [
        SHEET.convert("1"),
        SHEET.convert("P"),
        SHEET.convert("RGB"),
        Image.fromarray(np.asarray(SHEET).astype(np.uint16) * 257),
        coloured((200, 0, 0), (250, 250, 200), "RGB"),
        coloured((0, 0, 0, 255), (0, 0, 0, 0), "RGBA"),
        coloured((90, 0, 0, 255), (255, 255, 255, 0), "RGBA"),
        coloured((0, 255), (0, 0), "LA"),
        coloured((0, 0, 0, 255), (255, 255, 255, 255), "RGBA"),
    ],
    ids=["1 bit", "palette", "RGB", "16 bit", "colour", "transparent", "dark red", "grey and alpha", "opaque"],
)
def test_dark_ink_is_dark_in_every_mode(image: Image.Image) -> None:
    found = levels(encode(image)).mean(axis=2)
    assert found[INK].max() < 128 < found[~INK].min()


def test_light_ink_on_nothing_is_seen_on_black() -> None:
    found = levels(encode(coloured((255, 255, 255, 255), (255, 255, 255, 0), "RGBA"))).mean(axis=2)
    assert found[~INK].max() < 128 < found[INK].min()


def test_a_transparent_palette_colour_is_ground() -> None:
    image = SHEET.point(lambda level: level // 255).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    found = levels(encode(image, transparency=1)).mean(axis=2)
    assert found[INK].max() < 128 < found[~INK].min()


def test_cmyk_is_read() -> None:
    found = levels(encode(SHEET.convert("CMYK"), "JPEG", quality=95)).mean(axis=2)
    assert ((found < 128) == INK).mean() > 0.99


def test_the_first_frame_of_an_animation_is_read() -> None:
    blank = Image.new("L", SHEET.size, 255)
    found = levels(encode(SHEET, "GIF", save_all=True, append_images=[blank]))
    assert ((found.mean(axis=2) < 128) == INK).mean() > 0.99


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_flag_is_followed(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    stored = SHEET.transpose(TURNS[BACK[turn]]) if turn in TURNS else SHEET
    found = levels(encode(stored, "JPEG", exif=exif, quality=95)).mean(axis=2)
    assert found.shape == INK.shape
    assert ((found < 128) == INK).mean() > 0.99


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_metadata_spoils_no_picture() -> None:
    found = levels(encode(SHEET, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"))
    assert found.shape[:2] == INK.shape


@pytest.mark.parametrize("size", [(900, 1000), (1000, 2), (3, 900)])
def test_a_large_image_is_reduced_and_keeps_its_shape(size: tuple[int, int]) -> None:
    height, width, _ = levels(encode(SHEET.resize(size))).shape
    assert max(height, width) <= WORKING_SIDE
    assert min(height, width) >= 1


def bmp_with_alpha(rgba: np.ndarray) -> bytes:
    """Return [h, w, 4] as a BMP of header version 4, whose masks say that the fourth byte is alpha."""
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, rgba.shape[1], rgba.shape[0], 1, 32, 3, rgba.size, 0, 0, 0, 0) + masks
    header = header.ljust(108, b"\0")
    pixels = rgba[::-1, :, [2, 1, 0, 3]].tobytes()
    return b"BM" + struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122) + header + pixels


def test_an_alpha_of_zeros_in_a_bmp_means_opaque() -> None:
    rgba = np.dstack([np.asarray(SHEET.convert("RGB")), np.zeros(INK.shape, np.uint8)])
    found = levels(bmp_with_alpha(rgba)).mean(axis=2)
    assert found[INK].max() < 128 < found[~INK].min()
    rgba[0, 0, 3] = 255  # one opaque pixel: alpha is meant
    assert np.unique(levels(bmp_with_alpha(rgba))[1:]).size == 1


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (40_000, 40_300), (0, 4095), (0, 65_535), (9, 20_000)])
def test_a_few_levels_of_16_bits_are_stretched(low: int, high: int) -> None:
    found = levels(encode(np.where(INK, high, low).astype(np.uint16)))[:, :, 0]
    assert found[INK].min() - found[~INK].max() > 75


def test_16_bits_of_8_come_out_as_they_were() -> None:
    grey = np.arange(0, 255, dtype=np.uint16).reshape(15, 17)
    assert (levels(encode(grey * 257))[:, :, 0] == grey).all()


def test_16_bits_of_one_level_are_blank() -> None:
    assert np.unique(levels(encode(np.full((9, 9), 700, np.uint16)))).size == 1


@pytest.mark.parametrize("turned", [False, True])
def test_levels_of_16_bits_are_those_of_all_rows(turned: bool) -> None:
    grey = np.tile(np.arange(0x100, 0x2000, 8, dtype=np.uint16)[:, np.newaxis], (1, 2))  # more rows than a strip
    shown = levels(encode(grey[::-1] if turned else grey))[:, 0, 0].astype(int)
    assert np.ptp(np.diff(shown)) <= 1


def test_parts_of_16_bits_are_stretched_as_the_whole() -> None:
    grey = np.tile(np.arange(0, 0x3000, 4, dtype=np.uint16), (2, 1))  # wider than a tile
    assert np.ptp(np.diff(levels(encode(grey))[0, :, 0].astype(int))) <= 1


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage) as caught:
        open_image(data, LIMIT)
    assert str(caught.value) == "This is no BMP, GIF, JPEG, PNG or WEBP image."


def test_a_known_format_that_is_not_read_is_named() -> None:
    with pytest.raises(UnreadFormat) as caught:
        open_image(encode(SHEET, "TIFF"), LIMIT)
    assert str(caught.value) == (
        "This is a file of format TIFF, which is not read; send a BMP, GIF, JPEG, PNG or WEBP image."
    )


@pytest.mark.parametrize("format", ["BMP", "GIF", "JPEG", "PNG"])
def test_an_image_that_is_cut_off_is_refused(format: str) -> None:
    data = encode(SHEET, format)
    with pytest.raises(NotAnImage) as caught:
        levels(data[: len(data) // 2])
    assert str(caught.value).startswith(f"The {format} image is damaged or cut off: ")


@pytest.mark.parametrize("side", [1001, 12_000, 20_000])
def test_too_many_pixels_are_refused_by_the_header_alone(side: int) -> None:
    header = bytearray(encode(Image.new("1", (1, 1)), "BMP")[:62])
    header[18:26] = side.to_bytes(4, "little") * 2
    with pytest.raises(TooManyPixels, match="pixels"):
        open_image(bytes(header), LIMIT)


@pytest.mark.parametrize("size", [(300, 300), (257, 3000), (1, 3000), (1111, 777)])
@pytest.mark.slow
def test_tiles_of_a_transparent_image_are_reduced_as_the_whole(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    noise[..., 3] |= 1  # nowhere fully transparent, where the colour is lost
    image = Image.fromarray(noise)
    factor = -(-max(size) // 256)
    whole = image.reduce((min(factor, size[0]), min(factor, size[1])))
    assert np.array_equal(levels(encode(image)), np.asarray(on_ground(whole, Ground.of(whole))))


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_image_may_have_a_fourth_of_the_pixels(lossless: bool) -> None:
    image = Image.new("RGB", (501, 500), "white")
    with pytest.raises(TooManyPixels, match="at most 250,000 are decoded of WebP, which takes 4 times the memory"):
        open_image(encode(image, "WEBP", lossless=lossless), LIMIT)
    open_image(encode(image.resize((500, 500)), "WEBP", lossless=lossless), LIMIT)


def test_a_bmp_image_in_runs_may_have_a_sixteenth_of_the_pixels() -> None:
    runs = bytes((100, 0)) * 8
    header = struct.pack("<IiiHHIIiiII", 40, 800, 100, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    file = b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + bytes(1024) + runs
    with pytest.raises(TooManyPixels, match="at most 62,500 are decoded of BMP in runs, which takes 16 times as long"):
        open_image(file, LIMIT)
    assert open_image(file, 16 * 80_000).size == (800, 100)
