"""Separate the ink of an image from its ground: dark on light or light on dark, in uneven light and across shadows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from serving.gateway.imaging.ground import ground_of
from serving.gateway.imaging.levels import Floats, border, quantile
from serving.gateway.imaging.masks import Mask, grown

STRONG = 0.08  # of the ink's peak: stronger pixels are ink anywhere, fainter ones only beside strong ink
STRAY = 1.5  # times the stray marks far from ink, such as JPEG's, is ink
NOISES = 5.0  # standard deviations of the ground's noise from which on a pixel is ink
BLANK_NOISES = 4.0  # standard deviations of the noise below which marks are no ink
NOISIEST = 30.0  # grey levels: no ground has as much noise; it is ink that fills the image, which was cut out closely
EVEN_LEVELS, EVEN_SHARE = 1.0, 0.34  # grey levels within which such a share of the image lies: its ground is even
BLANK_LEVELS = 8.0  # of 255 grey levels, below which marks are no ink
RING = 0.05  # of the shorter side: the border, which shows ground rather than ink
UNEVEN_SIDE = 32  # pixels: a smaller image is no photograph; its ground is even, unless much of it would be ink
WIDEST = 0.4  # of the shorter side: wider areas are ground, such as a shadow, and no stroke
NARROWER = 0.2  # of the shorter side: so are these, where they are fainter than strokes: a hand's or a phone's shadow
MUCH = 0.12  # of the image: more ink may be a shadow
FAINTER, AS_STRONG = 0.6, 0.75  # of the ink's peak: such a shadow, at most; the ink without it, at least
NEAR = 0.25  # of the shorter side: as far around a pixel its surroundings go
HALVED = 64  # pixels of the shorter side from which on half the resolution tells the polarity
SKEWED = 0.15  # skewness from which on one tail is clearly heavier
DARKEST = 0.25  # of the brightest ground: ink in darker places is not strengthened further
TO_DEVIATION = 1.4826  # a normal distribution's standard deviation over its median absolute deviation


class Signed(NamedTuple):
    """Levels, [h, w], of which ink has the higher ones, whether ink is `dark`, and the levels `blurred` above `low`."""

    levels: Floats
    dark: bool
    blurred: NDArray[np.uint8]
    low: np.float32


class NoInk(ValueError):
    """A blank image: nothing stands out from its ground."""


def find_ink(image: NDArray) -> tuple[Floats, Mask]:
    """Return the strength of the ink of `image`, [h, w], and the mask of strong ink; raise NoInk for a blank image.

    `image` is [h, w, channels] in grey levels 0…255. The strength is the distance from the ground in grey levels, 0
    without ink. Ink in a shadow is as strong as in the light.
    """
    if min(image.shape[:2]) < UNEVEN_SIDE:
        ink, noise = _on_even_ground(image)
        framed = np.count_nonzero(ink > ink.max() / 2) > ink.size / 2  # the border was a frame
        return _strong(*(_on_any_ground(_signed(image)) if framed else (ink, noise)))
    signed = _signed(image)
    ink, noise = _on_any_ground(signed)
    if noise > NOISIEST or _is_cut_out(signed.levels, ink):
        return _strong(*_on_even_ground(image))
    ink, strong = _strong(ink, noise)
    return _without_shadow(signed, ink, strong) if np.count_nonzero(strong) > MUCH * ink.size else (ink, strong)


def _strong(ink: Floats, noise: float) -> tuple[Floats, Mask]:
    """Return the strength of ink, 0 without, and the mask of strong ink; raise NoInk if it is noise."""
    dense = ink > ink.max() / 2
    peak = float(ink[dense].sum()) / max(int(np.count_nonzero(dense)), 1)
    if peak < max(BLANK_LEVELS, BLANK_NOISES * noise):
        raise NoInk
    stray = quantile(np.abs(ink[~grown(ink > peak / 4, 2)]), 0.99)
    strong = ink >= min(max(STRONG * peak, STRAY * stray, NOISES * noise), peak / 2)
    return np.where(grown(strong) & (ink > 2 * noise), ink, np.float32(0)), strong


def _without_shadow(signed: Signed, ink: Floats, strong: Mask) -> tuple[Floats, Mask]:
    """Return the ink without areas that are narrower than others and fainter than strokes, if there are any."""
    try:
        less, left = _strong(*_on_any_ground(signed, NARROWER))
    except NoInk:
        return ink, strong
    gone = strong & ~left
    peak = float(ink.max())
    if np.count_nonzero(gone) < MUCH / 2 * ink.size or less.max() < AS_STRONG * peak:
        return ink, strong
    return (less, left) if quantile(ink[gone], 0.75) <= FAINTER * peak else (ink, strong)


def _on_even_ground(image: NDArray) -> tuple[Floats, float]:
    """Return the ink on a ground of one colour, that of the border, and the noise of that ground: none."""
    height, width, channels = image.shape
    thickness = max(1, round(RING * min(height, width)))
    if channels == 1:
        return _grey_on_even_ground(image[:, :, 0], thickness), 0.0
    border = np.ones((height, width), bool)
    border[thickness : height - thickness, thickness : width - thickness] = False
    away = image - np.array([quantile(channel, 0.5) for channel in image[border].T], np.float32)
    distance = np.abs(away).max(axis=2)
    colour = away[distance >= distance.max() / 2].mean(axis=0)
    # The ink's colour relative to the ground's: the polarity of grey, the most telling mixture of colour channels.
    return away @ (colour / max(np.abs(colour).sum(), 1.0)), 0.0


def _grey_on_even_ground(levels: NDArray[np.uint8], thickness: int) -> Floats:
    sides = levels[:thickness], levels[-thickness:], levels[:, :thickness], levels[:, -thickness:]
    border = sorted(b"".join(side.tobytes() for side in sides))  # faster than by NumPy for small ones
    ink = levels.astype(np.float32) - border[len(border) // 2]
    return ink if ink.max() >= -ink.min() else -ink


def _signed(image: NDArray) -> Signed:
    levels = _most_telling(image)
    dark = _is_dark(levels)
    ink = -levels if dark else levels
    return Signed(ink, dark, *_blurred(ink, 1))


def _on_any_ground(signed: Signed, widest: float = WIDEST) -> tuple[Floats, float]:
    """Return the ink relative to the ground around it, and the standard deviation of the ground's noise.

    Areas wider than a share of the shorter side are ground.
    """
    ground = ground_of(signed.blurred, signed.low, widest, signed.dark)
    ink = signed.levels - ground
    if signed.dark and ground.min() < ground.max() <= 0:
        light = -ground  # brightness of the paper; ink takes a share of it
        ink *= light.max() / np.maximum(light, DARKEST * light.max())
    ink -= quantile(ink.ravel(), 0.5)
    return ink, TO_DEVIATION * quantile(np.abs(ink).ravel(), 0.5)


def _is_cut_out(levels: Floats, ink: Floats) -> bool:
    """Return whether `ink` is found on an even ground: much of the image has the level of most of the border.

    So it is where a digit was cut out closely, and its ink, which reaches the border, was taken for ground.
    """
    even = np.abs(levels - quantile(border(levels), 0.5)) < EVEN_LEVELS
    return np.count_nonzero(even) > EVEN_SHARE * even.size and quantile(np.abs(ink[even]), 0.5) > BLANK_LEVELS


def _is_dark(levels: Floats) -> bool:
    """Return whether the ink is darker than its ground.

    Ink is thin: far from the mean of its surroundings, on few pixels. Its side of the mean is the heavier tail. Where
    neither is, as with a bold digit that fills the image, most of the border is ground.
    """
    relief = _relief(levels).astype(np.float64)
    square = np.square(relief)
    skewness = float((square * relief).mean()) / max(float(square.mean()), 1e-9) ** 1.5
    if abs(skewness) > SKEWED:
        return skewness < 0
    return quantile(border(levels), 0.5) > levels.mean()


def _most_telling(image: NDArray) -> Floats:
    """Return grey levels, or the mixture of colour channels that varies most between ink and its surroundings."""
    levels = np.asarray(image, np.float32)
    if levels.shape[2] == 1:
        return levels[:, :, 0]
    relief = np.stack([_relief(channel) for channel in np.moveaxis(levels, 2, 0)], axis=-1).reshape(-1, 3)
    weighted = relief * np.square(relief).sum(axis=1, keepdims=True)  # far ones count most: they are ink
    mixture = np.linalg.eigh(weighted.T @ relief)[1][:, -1]
    mixture = mixture * np.sign(mixture.sum() or 1)  # so that dark stays dark
    return np.asarray(levels @ (mixture / np.abs(mixture).sum()), np.float32)


def _relief(levels: Floats) -> Floats:
    """Return levels less the mean of their surroundings; those of a larger image at half its resolution."""
    some: NDArray = levels
    if min(levels.shape) >= HALVED:
        height, width = (side // 2 * 2 for side in levels.shape)
        even = levels[:height, :width]
        some = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    radius = round(NEAR * min(some.shape))
    # A frame counts no more for being at the border.
    around, low = _blurred(np.pad(some, radius, "symmetric"), radius)
    return some - (around[radius : radius + some.shape[0], radius : radius + some.shape[1]] + low)


def _blurred(levels: Floats, radius: float) -> tuple[NDArray[np.uint8], np.float32]:
    """Return the mean of a square around each pixel, in whole grey levels above the lowest, and that."""
    low = levels.min()
    image = Image.fromarray(np.minimum(levels - low, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.BoxBlur(radius))), low
