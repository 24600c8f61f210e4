"""Separate the ink of an image from its ground: dark on light or light on dark, in uneven light and across shadows."""

from typing import NamedTuple

import mahotas
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

STRONG = 0.08  # of the ink's peak: stronger pixels are ink anywhere, fainter ones only beside strong ink
STRAY = 1.5  # times the stray marks far from ink, such as JPEG's, is ink
NOISES = 5.0  # standard deviations of the ground's noise from which on a pixel is ink
BLANK_NOISES = 4.0  # standard deviations of the noise below which marks are no ink
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
UNEVEN = 0.15  # of the light: darker ground is in a shadow
BETWEEN = 0.15  # of the image, at most, has a ground between that in the light and that in a shadow
STROKE = 0.14  # of the shorter side: narrower ink beside a shadow is none of it
RIM = 2  # pixels around a shadow in which it fades
NEIGHBOURS = np.ones((3, 3), bool)  # of a pixel, diagonal ones too
SAMPLED = 16_384  # values tell a quantile well
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
    ink, strong = _strong(*_on_any_ground(signed))
    return _without_shadow(signed, ink, strong) if np.count_nonzero(strong) > MUCH * ink.size else (ink, strong)


def _strong(ink: Floats, noise: float) -> tuple[Floats, Mask]:
    """Return the strength of ink, 0 without, and the mask of strong ink; raise NoInk if it is noise."""
    dense = ink > ink.max() / 2
    peak = float(ink[dense].sum()) / max(int(np.count_nonzero(dense)), 1)
    if peak < max(BLANK_LEVELS, BLANK_NOISES * noise):
        raise NoInk
    stray = _quantile(np.abs(ink[~grown(ink > peak / 4, 2)]), 0.99)
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
    return (less, left) if _quantile(ink[gone], 0.75) <= FAINTER * peak else (ink, strong)


def extent(mask: NDArray) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the first row and the one past the last, and so the columns, of what is not 0 in a mask or in bytes."""
    (top, bottom), (left, right) = _ends(mask.tobytes(), mask.shape[1]), _ends(mask.T.tobytes(), mask.shape[0])
    return ((top, bottom), (left, right)) if bottom else None


def _ends(pixels: bytes, width: int) -> tuple[int, int]:
    """Return the first row and the one past the last with a pixel; faster than reductions by NumPy for small ones."""
    return (len(pixels) - len(pixels.lstrip(b"\0"))) // width, -(-len(pixels.rstrip(b"\0")) // width)


def grown(mask: Mask, reach: int = 1) -> Mask:
    """Return `mask` with every pixel at most `reach` away, diagonally too."""
    height, width = mask.shape
    padded = np.zeros((height + 2 * reach, width + 2 * reach), bool)
    padded[reach : reach + height, reach : reach + width] = mask
    rows = padded[:height]
    for step in range(1, 2 * reach + 1):
        rows = rows | padded[step : step + height]
    found = rows[:, :width]
    for step in range(1, 2 * reach + 1):
        found = found | rows[:, step : step + width]
    return found


def _on_even_ground(image: NDArray) -> tuple[Floats, float]:
    """Return the ink on a ground of one colour, that of the border, and the noise of that ground: none."""
    height, width, channels = image.shape
    thickness = max(1, round(RING * min(height, width)))
    if channels == 1:
        return _grey_on_even_ground(image[:, :, 0], thickness), 0.0
    border = np.ones((height, width), bool)
    border[thickness : height - thickness, thickness : width - thickness] = False
    away = image - np.array([_quantile(channel, 0.5) for channel in image[border].T], np.float32)
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
    ground = _opened(signed.blurred.astype(np.int16), max(3, round(widest * min(signed.levels.shape)))) + signed.low
    if signed.dark and _is_uneven(ground):
        ground = _with_corners(ground, signed)
    ink = signed.levels - ground
    if signed.dark and ground.min() < ground.max() <= 0:
        light = -ground  # brightness of the paper; ink takes a share of it
        ink *= light.max() / np.maximum(light, DARKEST * light.max())
    ink -= _quantile(ink.ravel(), 0.5)
    return ink, TO_DEVIATION * _quantile(np.abs(ink).ravel(), 0.5)


def _is_uneven(ground: Floats) -> bool:
    """Return whether a ground under dark ink may have a shadow."""
    low, high = _quantile(ground.ravel(), 0.02), float(ground.max())
    return high - low > UNEVEN * -low


def _with_corners(ground: Floats, signed: Signed) -> Floats:
    """Return the ground with whole shadows, reconstructed from the parts that opening left.

    Their corners are as narrow as strokes. Strokes that touch a shadow are none of it, though they may be as dark.
    """
    highest = _around(signed.blurred.astype(np.int16), 3, np.maximum) + signed.low
    within = np.minimum(ground, highest)  # beyond the border, levels are extrapolated
    low, high = _quantile(within.ravel(), 0.02), float(within.max())
    middle = (low + high) / 2
    if not _is_uneven(within) or np.mean(np.abs(within - middle) < (high - low) / 4) > BETWEEN:  # light on a slope
        return ground
    shaded = within >= middle
    wide = _opened(signed.blurred.astype(np.int16), max(3, round(STROKE * min(highest.shape)))) + signed.low
    labels, count = mahotas.label(wide >= middle, NEIGHBOURS)
    whole = np.zeros(count + 1, bool)
    whole[labels[shaded]] = True
    whole[0] = False
    shadow = _quantile(within[shaded], 0.5)
    return np.where(grown(whole[labels] | shaded, RIM), np.maximum(within, np.minimum(highest, shadow)), within)


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
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    return _quantile(border, 0.5) > levels.mean()


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


def _opened(levels: NDArray[np.int16], size: int) -> NDArray[np.int16]:
    """Return levels without what is lighter than its surroundings and narrower than `size`: their grey opening.

    It reaches a pixel beyond a step in the levels, which blurring moved by that much.
    """
    return _around(_around(levels, size, np.minimum), size + 2, np.maximum)


def _around(levels: NDArray[np.int16], size: int, extreme: np.ufunc) -> NDArray[np.int16]:
    """Return the extreme of the square of `size` around each pixel."""
    return _running(_running(levels, size, extreme).T, size, extreme).T


def _running(levels: NDArray[np.int16], size: int, extreme: np.ufunc) -> NDArray[np.int16]:
    """Return the extreme of the `size` pixels around each, along rows; doubling the reach at each step."""
    reached = np.pad(levels, ((0, 0), (size // 2, size - 1 - size // 2)), "reflect", reflect_type="odd")
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        reached = extreme(reached[:, :-step], reached[:, step:])
        reach += step
    return reached


def _quantile(values: NDArray, share: float) -> float:
    """Return the quantile `share` of `values` or of a sample, 0 without any; faster than np.quantile."""
    if not len(values):
        return 0.0
    values = values[:: len(values) // SAMPLED | 1]  # odd: columns of a whole image take turns
    place = min(int(share * len(values)), len(values) - 1)
    return float(np.partition(values, place)[place])
