"""Make images opaque: transparent pixels have no colour."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from serving.gateway.imaging.masks import extent

VISIBLE = 0.5  # of the strongest alpha: such pixels have a colour, others none
CARD_SHARE = 0.5  # of its box: a part that is visible and fills so much may be a card with ink on it
CARD_LEVELS = 40  # of 255, by which ink on a card differs from it at least
CARD_INK = 0.002  # of a card is ink, at least
DARK_SHARE = 0.01  # of the visible part: with more dark ink, it is laid on white


class Ground(NamedTuple):
    """The colour under an image's transparent pixels."""

    red: int
    green: int
    blue: int

    @classmethod
    def of(cls, image: Image.Image) -> "Ground":
        """Return the colour of a card with ink on it, else white under dark ink and black under light ink."""
        pixels = np.asarray(image)
        alpha = pixels[:, :, 3]
        visible = alpha >= max(VISIBLE * alpha.max(), 1)
        colours = pixels[visible][:, :3]
        if not len(colours):
            return cls(0, 0, 0)
        card = np.partition(colours, len(colours) // 2, axis=0)[len(colours) // 2].astype(np.int16)
        away = np.abs(colours - card).max(axis=1) > CARD_LEVELS
        (top, bottom), (left, right) = extent(visible) or ((0, 0), (0, 0))
        box = (bottom - top) * (right - left)
        if len(colours) > CARD_SHARE * box and away.mean() > CARD_INK:
            return cls(*(int(level) for level in card))
        dark = np.asarray(image.convert("L")) < 128
        on_white = alpha[dark].sum(dtype=np.int64) > DARK_SHARE * alpha.sum(dtype=np.int64)
        return cls(255, 255, 255) if on_white else cls(0, 0, 0)


def on_ground(image: Image.Image, ground: Ground) -> Image.Image:
    """Lay a transparent image on a colour."""
    return Image.alpha_composite(Image.new("RGBA", image.size, tuple(ground)), image).convert("RGB")
