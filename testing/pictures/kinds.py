"""Pictures of one digit, kind by kind, as files."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from testing.encoded import encode
from testing.pictures import sheets
from testing.pictures.hands import written
from testing.pictures.sheets import PAGE, PHOTO, SIDE, Rng, coloured, levels, noisy, on_canvas, on_photo, photo, placed
from testing.pictures.surroundings import SURROUNDED

Kind = Callable[[int, Rng], bytes]


def _small(pixels: int) -> Kind:
    def kind(digit: int, rng: Rng) -> bytes:
        page = placed(written(digit, rng, pixels, pen=rng.uniform(0.1, 0.14)), *PAGE, rng)
        values = np.rint(coloured(page, 235, 40) + rng.normal(0, 2, (1, PAGE[1])))
        return encode(levels(values), "JPEG", quality=90) if rng.random() < 0.5 else encode(levels(values))

    return kind


def _cut_out(digit: int, rng: Rng) -> bytes:
    """Draw a digit whose picture ends a few pixels beyond its ink."""
    ink = written(digit, rng, int(rng.integers(40, 240)), pen=rng.uniform(0.1, 0.2))
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    margin = int(rng.integers(3, 8))
    close = np.pad(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], margin)
    return encode(levels(coloured(close, float(rng.uniform(200, 255)), float(rng.uniform(0, 60)))))


def _pencil(digit: int, rng: Rng) -> bytes:
    ink = on_photo(digit, rng) * rng.uniform(0.5, 1, PHOTO).astype(np.float32)
    return photo(coloured(ink, 225, 110), rng, 3)


def _ruled(squared: bool, line: float, ground: float) -> Kind:
    def kind(digit: int, rng: Rng) -> bytes:
        apart, wide = rng.uniform(0.08, 0.16) * PHOTO[0], rng.uniform(1.2, 3)
        lines = sheets.ruled(*PHOTO, apart, wide, squared, rng.uniform(-0.02, 0.02))
        paper = coloured(lines, ground, line)
        return photo(coloured(on_photo(digit, rng), paper, rng.uniform(20, 60)), rng, 2)

    return kind


def _boxed(digit: int, rng: Rng) -> bytes:
    ink = on_canvas(digit, rng, 0.45)
    return encode(levels(255 - 255 * sheets.boxed(ink, rng.uniform(8, 40), float(rng.integers(1, 5)), rng)))


def _framed(digit: int, rng: Rng) -> bytes:
    values = 255 - 255 * on_canvas(digit, rng, 0.6)
    wide, level = int(rng.integers(1, 7)), float(rng.uniform(0, 140))
    whole = np.full(values.shape, level)
    whole[wide:-wide, wide:-wide] = values[wide:-wide, wide:-wide]
    return encode(levels(whole))


def _card(corners: bool) -> Kind:
    def kind(digit: int, rng: Rng) -> bytes:
        values = coloured(on_canvas(digit, rng, 0.55), float(rng.uniform(0, 60)), float(rng.uniform(190, 255)))
        y, x = np.abs(np.indices((SIDE, SIDE)) - (SIDE - 1) / 2)
        radius = rng.uniform(0.1, 0.3) * SIDE if corners else 8
        margin = 0 if corners else rng.integers(5, 14)
        edge = SIDE / 2 - margin - radius
        away = np.hypot(np.maximum(x - edge, 0), np.maximum(y - edge, 0))
        alpha = np.clip(radius + 0.5 - away, 0, 1) * 255
        colours = np.where(alpha > 0, values, float(rng.choice([0, 255])))
        return encode(levels(np.dstack([colours, colours, colours, alpha])))

    return kind


def _stroke_on_nothing(digit: int, rng: Rng) -> bytes:
    ink, pen = on_canvas(digit, rng), float(rng.choice([0, 40, 220, 255]))
    return encode(levels(np.dstack([np.full_like(ink, pen)] * 3 + [255 * ink])))


def _late_frame(format: str) -> Kind:
    def kind(digit: int, rng: Rng) -> bytes:
        full = levels(255 - 255 * on_canvas(digit, rng))
        blank = [Image.new("L", full.size, 255)] * int(rng.integers(1, 3))
        options = {"lossless": True} if format == "WEBP" else {}
        first, *others = [*blank, full]
        return encode(first, format, save_all=True, append_images=others, duration=100, **options)

    return kind


def _hidden_default(digit: int, rng: Rng) -> bytes:
    full = levels(255 - 255 * on_canvas(digit, rng))
    default = Image.new("L", full.size, 255)
    return encode(default, save_all=True, append_images=[full], default_image=True, duration=100)


def _few_levels(digit: int, rng: Rng) -> bytes:
    most = int(rng.integers(255, 4096))
    return encode(Image.fromarray(np.rint((1 - on_canvas(digit, rng)) * most).astype(np.uint16)))


def _alpha_zero(digit: int, rng: Rng) -> bytes:
    values = 255 - 255 * on_canvas(digit, rng)
    rgba = levels(np.dstack([values, values, values, np.zeros_like(values)]))
    return encode(rgba, "BMP")


def _turned(digit: int, rng: Rng) -> bytes:
    stored = levels(noisy(coloured(on_photo(digit, rng), 220), rng, 3)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(stored, "JPEG", exif=exif, quality=90)


def _colours(digit: int, rng: Rng) -> bytes:
    pens = ((200, 30, 40), (30, 60, 200), (20, 120, 50), (150, 40, 160))
    grounds = ((250, 250, 245), (255, 240, 160), (200, 230, 250), (240, 200, 190))
    pen, ground = (tuple[float, ...](of[int(rng.integers(4))]) for of in (pens, grounds))
    return photo(coloured(on_photo(digit, rng), ground, pen), rng)


def _shaded(light: Callable[[int, int, Rng], np.ndarray], pen: tuple[float, float] = (20, 70)) -> Kind:
    def kind(digit: int, rng: Rng) -> bytes:
        values = coloured(on_photo(digit, rng), float(rng.uniform(190, 245)), float(rng.uniform(*pen)))
        return photo(values * light(*PHOTO, rng), rng)

    return kind


def _small_chalk(digit: int, rng: Rng) -> bytes:
    return photo(coloured(on_photo(digit, rng, 0.25), 45, 215) * sheets.slope(*PHOTO, rng), rng)


KINDS: dict[str, Kind] = {
    "dark on light": lambda digit, rng: encode(levels(255 - 255 * on_canvas(digit, rng))),
    "light on dark": lambda digit, rng: encode(levels(255 * on_canvas(digit, rng))),
    "28 pixels": lambda digit, rng: encode(levels(255 * on_canvas(digit, rng, 0.7, 112)).reduce(4)),
    "faint": lambda digit, rng: encode(levels(coloured(on_canvas(digit, rng), 200, 165))),
    "gradient": _shaded(sheets.slope),
    "noise": lambda digit, rng: encode(levels(noisy(coloured(on_canvas(digit, rng), 200, 40), rng, 18))),
    "pencil": _pencil,
    "JPEG photo": lambda digit, rng: photo(coloured(on_photo(digit, rng), 215), rng),
    "chalk": _small_chalk,
    "colours": _colours,
    "ruled paper": _ruled(squared=False, line=170, ground=225),
    "squared paper": _ruled(squared=True, line=120, ground=215),
    "edge of a shadow": _shaded(sheets.shadow),
    "shadow, grey ink": _shaded(sheets.shadow, pen=(90, 120)),
    "80 px on 12 megapixels": _small(80),
    "60 px on 12 megapixels": _small(60),
    "40 px on 12 megapixels": _small(40),
    "cut out closely": _cut_out,
    "in a box": _boxed,
    "frame at the border": _framed,
    "circled": lambda digit, rng: encode(levels(255 - 255 * sheets.ringed(on_canvas(digit, rng, 0.4), rng))),
    "underlined": lambda digit, rng: encode(levels(255 - 255 * sheets.underlined(on_canvas(digit, rng, 0.45), rng))),
    "card with transparent corners": _card(corners=True),
    "card in transparent margin": _card(corners=False),
    "stroke on nothing": _stroke_on_nothing,
    "GIF, first frame empty": _late_frame("GIF"),
    "WebP, first frame empty": _late_frame("WEBP"),
    "APNG, hidden default": _hidden_default,
    "16 bits, few levels": _few_levels,
    "BMP, alpha of zeros": _alpha_zero,
    "turned by EXIF": _turned,
    **SURROUNDED,
}
CLEAN = ("dark on light", "light on dark", "28 pixels", "faint")
