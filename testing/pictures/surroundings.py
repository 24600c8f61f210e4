"""Pictures of one digit in what people have around it: desks, boards, notes, screens and papers of many kinds."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from testing.encoded import encode
from testing.pictures import sheets
from testing.pictures.hands import drawn, written
from testing.pictures.sheets import PAGE, PHOTO, Rng, coloured, levels, noisy, on_canvas, on_photo, photo, placed

Kind = Callable[[int, Rng], bytes]


def pen(least: float, most: float) -> Kind:
    """Return pictures drawn in pens between so many heights of the digit."""

    def kind(digit: int, rng: Rng) -> bytes:
        ink = placed(written(digit, rng, 280 * rng.uniform(0.45, 0.65), pen=rng.uniform(least, most)), 280, 280, rng)
        return encode(levels(255 - 255 * ink))

    return kind


def vignette(digit: int, rng: Rng) -> bytes:
    """Darken the corners, as a phone's lens does."""
    y, x = sheets.places(*PHOTO)
    light = 1 - rng.uniform(0.4, 0.8) * np.clip(np.hypot(x, y) / 0.83, 0, 1) ** rng.uniform(2, 4)
    return photo(coloured(on_photo(digit, rng), rng.uniform(190, 240), rng.uniform(20, 60)) * light, rng)


def low_quality(digit: int, rng: Rng) -> bytes:
    """Compress hard."""
    values = coloured(on_photo(digit, rng), (225.0, 220.0, 205.0), tuple(rng.uniform(10, 90, 3)))
    return encode(levels(noisy(values, rng, 4)), "JPEG", quality=20)


def on_desk(paper: tuple[float, float, float], desk: tuple[float, float], turn: float = 6, tilt: float = 0.12) -> Kind:
    """Return photographs of a sheet whose edges show, in perspective, on a desk between two grey levels."""

    def kind(digit: int, rng: Rng) -> bytes:
        side = 360
        sheet = coloured(placed(written(digit, rng, side * rng.uniform(0.4, 0.6)), side, side, rng, 0.12), paper, 40.0)
        wood = np.asarray(rng.uniform(*desk) * np.array([1.05, 1.0, 0.9]), np.float32)
        page = np.concatenate([sheet, np.full((side, side, 1), 255)], axis=2)
        angle = np.deg2rad(rng.uniform(-turn, turn))
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * rng.uniform(170, 205)
        corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        corners = corners * (1 + tilt * rng.uniform(-1, 1, (4, 1))) + [PHOTO[1] / 2, PHOTO[0] / 2]
        shown = _warped(levels(page), corners, PHOTO)
        alpha = shown[:, :, 3:] / 255
        grain = rng.normal(0, 3, (PHOTO[0], 1, 1))
        return photo(shown[:, :, :3] * alpha + (wood + grain) * (1 - alpha), rng)

    return kind


def _warped(image: Image.Image, corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image with its corners, clockwise from the top left, at x and y of a picture of so many pixels."""
    side = image.width
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (side, 0), (side, side), (0, side)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    coefficients = np.linalg.solve(np.array(rows), np.array(values))
    bicubic = Image.Resampling.BICUBIC
    return np.asarray(image.transform(size[::-1], Image.Transform.PERSPECTIVE, list(coefficients), bicubic), np.float32)


def blackboard(digit: int, rng: Rng) -> bytes:
    """Write in chalk, with traces of a sponge, on a green or black board."""
    board = np.array([(35.0, 60.0, 50.0), (40.0, 42.0, 45.0)][int(rng.integers(2))], np.float32)
    chalk = on_photo(digit, rng) * np.clip(rng.normal(0.8, 0.2, PHOTO), 0, 1).astype(np.float32)
    traces = rng.uniform(0, 22) * _clouds(rng, 9)
    return photo(coloured(chalk, board + traces[:, :, np.newaxis], tuple(rng.uniform(200, 245, 3))), rng)


def whiteboard(digit: int, rng: Rng) -> bytes:
    """Write on a whiteboard that reflects a lamp."""
    y, x = sheets.places(*PHOTO)
    across = np.hypot(x - rng.uniform(-0.5, 0.5), (y - rng.uniform(-0.4, 0.4)) * rng.uniform(0.6, 1.6))
    glare = rng.uniform(40, 90) * np.exp(-((across / rng.uniform(0.08, 0.25)) ** 2))
    colours = ((20.0, 20.0, 30.0), (20.0, 60.0, 150.0), (180.0, 30.0, 40.0), (20.0, 110.0, 60.0))
    values = coloured(on_photo(digit, rng), float(rng.uniform(160, 200)), colours[int(rng.integers(4))])
    return photo(values + glare[:, :, np.newaxis], rng)


def _clouds(rng: Rng, cells: int) -> np.ndarray:
    coarse = Image.fromarray(rng.uniform(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize(PHOTO[::-1], Image.Resampling.BICUBIC))


def dotted(digit: int, rng: Rng) -> bytes:
    """Write on dotted paper."""
    apart, y, x = rng.uniform(16, 40), *np.mgrid[: PHOTO[0], : PHOTO[1]].astype(np.float32)
    away = np.hypot((x + apart / 2) % apart - apart / 2, (y + apart / 2) % apart - apart / 2)
    dots = np.clip(rng.uniform(1.2, 2.2) + 0.5 - away, 0, 1)
    paper = coloured(dots, 230.0, float(rng.uniform(120, 190)))
    return photo(coloured(on_photo(digit, rng), paper, float(rng.uniform(20, 60))), rng, 2)


def squared(line: tuple[float, float], apart: tuple[float, float], blue: bool = False) -> Kind:
    """Return pictures on squared paper, its lines between two levels and so many heights of the photograph apart."""

    def kind(digit: int, rng: Rng) -> bytes:
        lines = sheets.ruled(
            *PHOTO, rng.uniform(*apart) * PHOTO[0], rng.uniform(1, 2.5), True, rng.uniform(-0.03, 0.03)
        )
        level = float(rng.uniform(*line))
        paper = coloured(lines, 228.0, (level - 30, level, min(level + 60, 228)) if blue else level)
        ink = on_photo(digit, rng)
        return photo(coloured(ink[:, :, np.newaxis] if blue else ink, paper, float(rng.uniform(15, 50))), rng, 2)

    return kind


def hand_boxed(digit: int, rng: Rng) -> bytes:
    """Draw a box around the digit by hand."""
    sheet = on_canvas(digit, rng, 0.4)
    rows, columns = np.nonzero(sheet.max(axis=1))[0], np.nonzero(sheet.max(axis=0))[0]
    more = rng.uniform(10, 26)
    left, right, top, bottom = columns[0] - more, columns[-1] + more, rows[0] - more, rows[-1] + more
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
    corners = corners + rng.normal(0, 3, corners.shape)
    points = np.concatenate([np.linspace(a, b, 12) for a, b in zip(corners, corners[1:], strict=False)])
    points += np.cumsum(rng.normal(0, 0.35, points.shape), axis=0)
    box = drawn([points], float(rng.uniform(3, 9)))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return encode(levels(255 - 255 * sheets.with_ink(sheet, box, middle)))


def framed(share: tuple[float, float], light: bool = False) -> Kind:
    """Return canvases with a frame at the border, of a width between two shares of the side."""

    def kind(digit: int, rng: Rng) -> bytes:
        values = 255 - 255 * on_canvas(digit, rng, 0.5)
        wide = max(round(rng.uniform(*share) * len(values)), 1)
        whole = np.full(values.shape, float(rng.uniform(0, 160)))
        whole[wide:-wide, wide:-wide] = values[wide:-wide, wide:-wide]
        return encode(levels(255 - whole if light else whole))

    return kind


def shadow(soft: tuple[float, float], depth: tuple[float, float]) -> Kind:
    """Return photographs with a shadow whose edge is so soft, in shorter sides, and so deep."""

    def kind(digit: int, rng: Rng) -> bytes:
        y, x = sheets.places(*PHOTO)
        angle = rng.uniform(0, 2 * np.pi)
        across = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.35, 0.35)
        light = 1 - rng.uniform(*depth) * np.clip(across / rng.uniform(*soft) + 0.5, 0, 1)
        return photo(coloured(on_photo(digit, rng), rng.uniform(190, 245), rng.uniform(20, 70)) * light, rng)

    return kind


def hand_shadow(digit: int, rng: Rng) -> bytes:
    """Let the shadow of a phone fall on the sheet: a dark rectangle from one side."""
    y, x = sheets.places(*PHOTO)
    angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.01, 0.06)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = np.minimum(
        along - rng.uniform(-0.4, 0.1), rng.uniform(0.15, 0.35) - np.abs(across - rng.uniform(-0.2, 0.2))
    )
    light = 1 - rng.uniform(0.2, 0.45) * np.clip(inside / soft + 0.5, 0, 1)
    return photo(coloured(on_photo(digit, rng), rng.uniform(190, 245), rng.uniform(20, 60)) * light, rng)


def in_corner(digit: int, rng: Rng) -> bytes:
    """Write a digit of 40 to 80 pixels into a corner of a page of 12 megapixels."""
    ink = written(digit, rng, float(rng.uniform(40, 80)), pen=rng.uniform(0.1, 0.14))
    page = np.zeros(PAGE, np.float32)
    (height, width), (down, across) = ink.shape, rng.integers(10, 90, 2)
    top = down if rng.random() < 0.5 else PAGE[0] - down - height
    left = across if rng.random() < 0.5 else PAGE[1] - across - width
    page[top : top + height, left : left + width] = ink
    return encode(levels(np.rint(coloured(page, 235, 40) + rng.normal(0, 2, (1, PAGE[1])))), "JPEG", quality=88)


def screenshot(digit: int, rng: Rng) -> bytes:
    """Show a canvas in a window: a bar with buttons above it, and a frame around the canvas."""
    dark = rng.random() < 0.5
    screen = np.full((*PHOTO, 3), 32.0 if dark else 236.0, np.float32)
    bar = int(rng.integers(24, 44))
    screen[:bar] = rng.uniform(20, 90, 3) if dark else rng.uniform(150, 220, 3)
    for at in range(int(rng.integers(1, 4))):
        screen[bar // 3 : -(-2 * bar // 3), 12 + 26 * at : 12 + 26 * at + bar // 3] = rng.uniform(60, 255, 3)
    side = int(rng.integers(300, 380))
    top, left = bar + int(rng.integers(15, 40)), int(rng.integers(30, PHOTO[1] - side - 30))
    canvas = 255 - 255 * on_canvas(digit, rng, 0.6, side)
    screen[top - 2 : top + side + 2, left - 2 : left + side + 2] = rng.uniform(90, 160)
    screen[top : top + side, left : left + side] = canvas[:, :, np.newaxis]
    return encode(levels(screen))


def under_alpha(pen: float, under: float) -> Kind:
    """Return strokes of a colour on transparent pixels that hold another colour."""

    def kind(digit: int, rng: Rng) -> bytes:
        ink = on_canvas(digit, rng)
        colours = np.where(ink > 0, pen, under)
        return encode(levels(np.dstack([colours] * 3 + [255 * ink])))

    return kind


def opaque_margin(digit: int, rng: Rng) -> bytes:
    """Lay a light sheet with dark ink on transparent black."""
    values = coloured(on_canvas(digit, rng, 0.5), float(rng.uniform(200, 255)), float(rng.uniform(0, 70)))
    alpha = np.zeros_like(values)
    away = int(rng.integers(6, 24))
    alpha[away:-away, away:-away] = 255
    return encode(levels(np.dstack([np.where(alpha > 0, values, 0)] * 3 + [alpha])))


def drawn_in_steps(format: str) -> Kind:
    """Return animations of some empty frames, then the digit, then the digit again."""

    def kind(digit: int, rng: Rng) -> bytes:
        light = rng.random() < 0.5
        ink = on_canvas(digit, rng)
        full = levels(255 * ink if light else 255 - 255 * ink).convert("RGB")
        blank = [Image.new("RGB", full.size, "black" if light else "white")] * int(rng.integers(1, 6))
        later = [*blank[1:], full, full.filter(ImageFilter.BoxBlur(1))]
        options = {"lossless": True} if format == "WEBP" else {}
        return encode(blank[0], format, save_all=True, append_images=later, duration=80, loop=0, **options)

    return kind


def circled(digit: int, rng: Rng) -> bytes:
    """Circle a digit on a photographed sheet, in another pen."""
    sheet = on_photo(digit, rng, 0.4)
    ring = sheets.ringed(sheet, rng) - sheet
    values = coloured(np.clip(ring, 0, 1), coloured(sheet, 220.0, 40.0)[:, :, np.newaxis], (190.0, 50.0, 50.0))
    return photo(values if rng.random() < 0.5 else values.mean(axis=2), rng)


def underlined_twice(digit: int, rng: Rng) -> bytes:
    """Underline a digit twice."""
    return encode(levels(255 - 255 * sheets.underlined(sheets.underlined(on_canvas(digit, rng, 0.4), rng), rng)))


SURROUNDED: dict[str, Kind] = {
    "thin pen": pen(0.02, 0.05),
    "thick pen": pen(0.18, 0.24),
    "vignette": vignette,
    "JPEG, quality 20": low_quality,
    "sheet on a dark desk": on_desk((235.0, 232.0, 225.0), (50, 110)),
    "sheet in perspective": on_desk((235.0, 232.0, 225.0), (70, 130), turn=20, tilt=0.22),
    "sticky note": on_desk((250.0, 225.0, 90.0), (120, 200), turn=12),
    "blackboard": blackboard,
    "whiteboard with glare": whiteboard,
    "dotted paper": dotted,
    "squares, narrow": squared((150, 190), (0.04, 0.07)),
    "squares, dark": squared((90, 130), (0.08, 0.2)),
    "squares, blue": squared((140, 190), (0.06, 0.15), blue=True),
    "box by hand": hand_boxed,
    "thin frame": framed((0.003, 0.01)),
    "wide frame": framed((0.03, 0.09)),
    "light frame": framed((0.005, 0.06), light=True),
    "hard shadow": shadow((0.001, 0.006), (0.25, 0.5)),
    "soft shadow": shadow((0.05, 0.4), (0.3, 0.6)),
    "shadow of a phone": hand_shadow,
    "in a corner of 12 megapixels": in_corner,
    "screenshot": screenshot,
    "black under alpha, white ink": under_alpha(255.0, 0.0),
    "white under alpha, black ink": under_alpha(0.0, 255.0),
    "sheet in transparent margin": opaque_margin,
    "GIF in steps": drawn_in_steps("GIF"),
    "WebP in steps": drawn_in_steps("WEBP"),
    "APNG in steps": drawn_in_steps("PNG"),
    "circled in a photo": circled,
    "underlined twice": underlined_twice,
}
