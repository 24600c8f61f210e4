"""Find the digits of a picture and their boxes, and leave out other marks."""

import re

import numpy as np
import pytest
from PIL import Image

from serving.gateway.errors import Unprocessable
from serving.gateway.imaging.decode import FRAMES
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.raster import Box
from serving.gateway.imaging.uploads import LIGHT, MEDIUM, Framed, Heavy, Upload, frame_uploads
from serving.gateway.settings import Settings
from testing.encoded import drawn, encode, framed
from testing.pictures.hands import written

FORMAT = ImageFormat(height=28, width=28, framing="mnist")
SHEET = np.asarray(drawn(4))  # dark on light, [220, 200]
ROWS, COLUMNS = np.flatnonzero((SHEET < 128).any(axis=1)), np.flatnonzero((SHEET < 128).any(axis=0))
BOX = Box(int(COLUMNS[0]), int(ROWS[0]), int(np.ptp(COLUMNS)) + 1, int(np.ptp(ROWS)) + 1)
PLAIN = framed(encode(SHEET))


def split(data: bytes) -> list[Framed]:
    [found] = frame_uploads([Upload("", data)], FORMAT, Settings.from_environ({}), split=True)
    return found


def like(found: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(found.ravel(), other.ravel())[0, 1])


def with_marks(*marks: tuple[slice, slice]) -> np.ndarray:
    sheet = SHEET.copy()
    for mark in marks:
        sheet[mark] = 0
    return sheet


EVERYWHERE = slice(None)
FRAME = [(slice(3), EVERYWHERE), (slice(-3, None), EVERYWHERE), (EVERYWHERE, slice(3)), (EVERYWHERE, slice(-3, None))]
INSIDE = slice(8, 212), slice(8, 192)
BOXED = [
    (slice(8, 11), INSIDE[1]),
    (slice(209, 212), INSIDE[1]),
    (INSIDE[0], slice(8, 11)),
    (INSIDE[0], slice(189, 192)),
]
UNDER = [(slice(190, 196), slice(30, 170))]
RULES = [(slice(row, row + 2), EVERYWHERE) for row in range(15, 220, 40)]
SQUARES = RULES + [(EVERYWHERE, slice(column, column + 2)) for column in range(15, 200, 40)]
SPECKS = [(slice(5, 8), slice(5, 8)), (slice(200, 203), slice(150, 154))]


@pytest.mark.parametrize(
    "marks", [FRAME, BOXED, UNDER, RULES, SQUARES, SPECKS],
    ids=["frame", "box", "underline", "rules", "squares", "specks"],
)  # fmt: skip
def test_printed_lines_and_dirt_are_no_ink(marks: list[tuple[slice, slice]]) -> None:
    sheet = with_marks(*marks)
    assert like(framed(encode(sheet)), PLAIN) > 0.95
    assert like(framed(encode(255 - sheet)), PLAIN) > 0.95


def test_strokes_that_do_not_touch_are_one_digit() -> None:
    broken = SHEET.copy()
    broken[(ROWS[0] + ROWS[-1]) // 2 :][:4] = 255
    assert like(framed(encode(broken)), PLAIN) > 0.9


def test_the_bar_of_a_five_beside_it_is_part_of_it() -> None:
    sheet = np.full((200, 200), 255, np.uint8)
    body = (255 * written(5, np.random.default_rng(0), 100, hand=0)).astype(np.uint8)
    sheet[60 : 60 + body.shape[0], 50 : 50 + body.shape[1]] -= body
    assert len(split(encode(sheet))) == 1
    sheet[45:55, 130:175] = 0
    [digit] = split(encode(sheet))
    assert digit.box is not None and digit.box.x + digit.box.width >= 173


def test_a_digit_cut_out_closely_keeps_the_bar_that_goes_from_side_to_side() -> None:
    ink = (255 * written(7, np.random.default_rng(0), 200, pen=0.08)).astype(np.uint8)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 128), np.flatnonzero(ink.max(axis=0) > 128)
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert like(framed(encode(cut)), framed(encode(np.pad(ink, 40)))) > 0.95


def test_several_digits_are_refused_by_their_boxes() -> None:
    both = np.hstack([SHEET, SHEET])
    with pytest.raises(Unprocessable) as caught:
        framed(encode(both))
    box = r"\d\d × \d{3} at"
    assert re.fullmatch(
        "The image has 2 separate large marks, not one digit "
        rf"\(pixels from the top left: {box} 5\d, 5\d; {box} 25\d, 5\d\)\. "
        r"Send one digit, or ask for each with \?split=true\.",
        str(caught.value),
    )


def test_several_digits_are_split_from_left_to_right() -> None:
    other = np.asarray(drawn(3))
    first, second = split(encode(np.hstack([other, SHEET])))
    assert first.box is not None and first.box.x < 200
    assert second.box is not None
    assert np.abs(np.array(second.box) - BOX._replace(x=BOX.x + 200)).max() <= 2  # it was seen at half the resolution
    for digit, sheet in ((first, other), (second, SHEET)):
        assert like(np.frombuffer(digit.pixels, np.uint8), framed(encode(sheet))) > 0.95


@pytest.mark.parametrize("turn", [0, 6, 8, 3, 5])
def test_boxes_are_of_the_upright_picture(turn: int) -> None:
    page = np.full((1200, 900), 255, np.uint8)
    page[700:920, 500:700] = SHEET
    back = {
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
        3: Image.Transpose.ROTATE_180,
        5: Image.Transpose.TRANSPOSE,
    }
    stored, exif = Image.fromarray(page), Image.Exif()
    if turn:
        stored, exif[0x0112] = stored.transpose(back[turn]), turn
    [digit] = split(encode(stored, exif=exif))
    assert digit.box is not None
    found, right = np.array(digit.box), np.array([BOX.x + 500, BOX.y + 700, BOX.width, BOX.height])
    assert np.abs(found - right).max() <= 4
    assert like(np.frombuffer(digit.pixels, np.uint8), PLAIN) > 0.95


def test_a_small_digit_is_read_as_finely_as_the_file_shows_it() -> None:
    page = np.full((2000, 3000), 255, np.uint8)
    small = np.asarray(Image.fromarray(SHEET).resize((50, 55), Image.Resampling.BOX))
    page[700:755, 2500:2550] = small
    assert like(framed(encode(page)), framed(encode(small))) > 0.95


SMALL = np.asarray(Image.fromarray(SHEET).resize((50, 55), Image.Resampling.BOX))


@pytest.mark.parametrize("high", [64, 72])
def test_a_small_digit_of_a_strip_is_read_as_finely(high: int) -> None:
    strip = np.full((high, 2048), 255, np.uint8)
    strip[5:60, 900:950] = SMALL
    for sheet, alone in ((strip, SMALL), (strip.T, SMALL.T)):
        assert like(framed(encode(np.ascontiguousarray(sheet))), framed(encode(np.ascontiguousarray(alone)))) > 0.95


def test_several_small_digits_are_each_read_as_finely() -> None:
    page = np.full((2000, 3000), 255, np.uint8)
    other = np.asarray(drawn(3).resize((50, 55), Image.Resampling.BOX))
    page[200:255, 100:150], page[1700:1755, 2500:2550] = other, SMALL
    found = split(encode(page))
    assert [digit.box is not None for digit in found] == [True, True]
    for digit, sheet in zip(found, (other, SMALL), strict=True):
        assert like(np.frombuffer(digit.pixels, np.uint8), framed(encode(sheet))) > 0.95


@pytest.mark.parametrize("paper", [0, 255])
def test_transparent_pixels_have_no_colour(paper: int) -> None:
    card = np.where(SHEET < 128, 230, 30).astype(np.uint8)
    alpha = np.pad(np.full(SHEET.shape, 255, np.uint8), 40)
    grey = np.pad(card, 40, constant_values=paper)
    assert like(framed(encode(np.dstack([grey, grey, grey, alpha]))), PLAIN) > 0.99


def test_ink_on_a_dark_card_is_read_on_a_light_table_too() -> None:
    card = np.pad(np.where(SHEET < 128, 230, 30).astype(np.uint8), 60, constant_values=220)
    assert like(framed(encode(card)), PLAIN) > 0.95


def test_the_edge_of_a_shadow_is_no_ink() -> None:
    light = np.where(np.add.outer(np.arange(220), np.arange(200)) > 230, 0.55, 1)
    assert like(framed(encode((SHEET * light).astype(np.uint8))), PLAIN) > 0.95


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_grey_ink_is_read_across_the_edge_of_a_shadow(degrees: int) -> None:
    """Half of the paper is as dark as the ink on the other half."""
    sheet = np.pad(np.where(SHEET < 128, 110, 220), ((40, 140), (120, 280)), constant_values=220)
    y, x = np.indices(sheet.shape)
    angle = np.radians(degrees)
    light = np.where((x - 200) * np.cos(angle) + (y - 150) * np.sin(angle) > 0, 0.5, 1)
    assert like(framed(encode((sheet * light).astype(np.uint8))), PLAIN) > 0.9


@pytest.mark.parametrize("place", [np.s_[:25], np.s_[-25:], np.s_[:, :25], np.s_[:, -25:]], ids=str)
@pytest.mark.parametrize(
    ("ink", "ground", "strip"), [(220, 30, 235), (255, 18, 255), (200, 60, 255), (220, 120, 250), (60, 220, 1)]
)
def test_a_strip_of_another_tone_at_the_border_is_no_light(ink: int, ground: int, strip: int, place: slice) -> None:
    sheet = np.pad(np.where(SHEET < 128, ink, ground), 30, constant_values=ground).astype(np.uint8)
    sheet[place] = strip
    assert like(framed(encode(sheet)), PLAIN) > 0.95


@pytest.mark.parametrize("ink", [60, 110])
def test_ink_that_touches_a_round_shadow_is_read(ink: int) -> None:
    """The grey ink is as dark as the shadow."""
    sheet = np.pad(np.where(SHEET < 128, ink, 220), 30, constant_values=220)
    y, x = np.indices(sheet.shape)
    light = np.where(np.hypot(y - 250, x - 250) < 140, 0.5, 1)
    assert like(framed(encode((sheet * light).astype(np.uint8))), PLAIN) > 0.85


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_with_ink_is_read(format: str) -> None:
    blank = Image.new("L", SHEET.shape[::-1], 255)
    data = encode(blank, format, save_all=True, append_images=[blank, Image.fromarray(SHEET)], duration=[50, 60, 70])
    assert like(framed(data), PLAIN) > 0.99


def test_the_hidden_default_of_an_animated_png_is_not_read() -> None:
    data = encode(drawn(3), save_all=True, append_images=[Image.fromarray(SHEET)], default_image=True, duration=50)
    assert like(framed(data), PLAIN) > 0.99


def frame_of(gif: bytes) -> bytes:
    """Return a GIF's frames, without its header and trailer."""
    return gif[13 + 3 * 2 ** ((gif[10] & 7) + 1) : -1]


def test_a_frame_that_enlarges_the_picture_is_not_decoded() -> None:
    small = encode(Image.new("L", (20, 20), 255), "GIF")
    with pytest.raises(Unprocessable, match="The image is blank"):
        framed(small[:-1] + frame_of(encode(SHEET, "GIF")) + small[-1:])


def test_an_animation_takes_the_effort_of_its_frames() -> None:
    charged: list[int] = []
    one, other = Image.new("L", (100, 100), 255), Image.new("L", (100, 100), 254)
    data = encode(one, "GIF", save_all=True, append_images=[other])
    with pytest.raises(Heavy):
        frame_uploads([Upload("", data)], FORMAT, Settings.from_environ({}), LIGHT)
    with pytest.raises(Unprocessable, match="The image is blank"):
        frame_uploads([Upload("", data)], FORMAT, Settings.from_environ({}), MEDIUM.charging(charged.append))
    assert charged == [FRAMES * 100 * 100]


def test_many_tiny_images_are_no_light_work() -> None:
    uploads = [Upload(f"/{at}", b"not opened yet") for at in range(17)]
    with pytest.raises(Heavy):
        frame_uploads(uploads, FORMAT, Settings.from_environ({}), LIGHT)
