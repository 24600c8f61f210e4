"""Cards, sheets and windows: the digit on them is found, and digits are taken for none."""

import numpy as np
import pytest
from PIL import Image

from serving.gateway.imaging.cards import find_card, only_card
from serving.gateway.imaging.raster import View
from testing.encoded import drawn, encode, framed
from testing.pictures.hands import HANDS, written

SHEET = np.asarray(drawn(4))  # dark on light, [220, 200]
PLAIN = framed(encode(SHEET))


def view(levels: np.ndarray) -> View:
    return View(levels[:, :, np.newaxis], 0, 0, (1, 1))


def on_desk(sheet: np.ndarray, desk: int, turn: float) -> np.ndarray:
    """Return a sheet turned by so many degrees on a desk of one level, 250 × 250."""
    both = np.dstack([sheet, np.full_like(sheet, 255)])
    laid = Image.new("LA", (360, 360), (desk, 0))
    laid.paste(Image.fromarray(both), (80, 70))
    turned = np.asarray(laid.rotate(turn, Image.Resampling.BICUBIC, fillcolor=(desk, 0)), float)
    alpha = turned[:, :, 1] / 255
    return (turned[:, :, 0] * alpha + desk * (1 - alpha)).astype(np.uint8)


@pytest.mark.parametrize("turn", [0, 4, -9])
@pytest.mark.parametrize("negative", [False, True], ids=["light sheet", "dark card"])
def test_the_digit_on_a_sheet_on_a_desk_is_read(turn: float, negative: bool) -> None:
    levels = on_desk(SHEET // 2 + 110, 60, turn)
    straight = framed(encode(Image.fromarray(SHEET).rotate(turn, Image.Resampling.BICUBIC, fillcolor=255)))
    found = framed(encode(255 - levels if negative else levels))
    assert np.corrcoef(found.ravel(), straight.ravel())[0, 1] > 0.9


def test_a_card_is_told_by_its_corners_and_the_rest_gets_its_colour() -> None:
    levels = on_desk(SHEET, 60, 0)
    card = find_card(view(levels))
    assert card is not None
    assert np.abs(np.array(card.box) - (86, 76, 188, 208)).max() <= 5
    only = only_card(view(levels), card.corners).levels[:, :, 0]
    assert (only[:70] == 255).all()
    assert np.array_equal(only[120:220, 120:220], levels[120:220, 120:220])


@pytest.mark.parametrize(("side", "found"), [(31, False), (48, True)])
def test_a_picture_of_few_pixels_has_no_room_for_a_card(side: int, found: bool) -> None:
    small = Image.fromarray(on_desk(SHEET, 60, 0)).resize((side, side), Image.Resampling.BOX)
    assert (find_card(view(np.asarray(small))) is not None) is found


@pytest.mark.parametrize("digit", HANDS)
@pytest.mark.parametrize("pen", [0.1, 0.24])
def test_digits_are_no_cards(digit: int, pen: float) -> None:
    for hand in range(len(HANDS[digit])):
        ink = (255 * written(digit, np.random.default_rng(0), 120, pen, hand)).astype(np.uint8)
        assert find_card(view(np.pad(ink, 20))) is None
        assert find_card(view(255 - np.pad(ink, 2))) is None


CHECKED = np.indices((40, 40)).sum(axis=0) % 2 * 255


@pytest.mark.parametrize(
    "levels", [np.zeros((1, 300)), np.full((300, 1), 9), CHECKED], ids=["row", "column", "checked"]
)
def test_pictures_without_cards_have_none(levels: np.ndarray) -> None:
    assert find_card(view(levels.astype(np.uint8))) is None
