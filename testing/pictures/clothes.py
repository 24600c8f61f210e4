"""Draw clothes: filled shapes with shades and stripes, as large in their frame as Fashion-MNIST's."""

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINER = 28, 4
STRIPED = 0.4  # of the clothes
HALVES = {  # the right half of the outline from the top, x from the middle; each a range
    "shirt": (((0.06, 0.1), (0.04, 0.08)), ((0.4, 0.48), (0.2, 0.3)), ((0.36, 0.42), (0.38, 0.44)),
              ((0.2, 0.26), (0.3, 0.34)), ((0.2, 0.28), (0.88, 0.97))),
    "trousers": (((0.12, 0.2), (0.02, 0.05)), ((0.18, 0.26), (0.95, 1.0)), ((0.05, 0.08), (0.95, 1.0)),
                 ((0.0, 0.0), (0.3, 0.4))),
    "dress": (((0.08, 0.12), (0.02, 0.05)), ((0.1, 0.14), (0.35, 0.45)), ((0.2, 0.34), (0.95, 1.0))),
    "pullover": (((0.08, 0.12), (0.03, 0.06)), ((0.2, 0.24), (0.08, 0.12)), ((0.36, 0.46), (0.85, 0.95)),
                 ((0.28, 0.34), (0.88, 0.96)), ((0.2, 0.24), (0.4, 0.5)), ((0.2, 0.26), (0.9, 0.97))),
}  # fmt: skip
OUTLINES = {
    "shoe": (((0.02, 0.05), (0.4, 0.5)), ((0.2, 0.3), (0.45, 0.55)), ((0.5, 0.6), (0.52, 0.62)),
             ((0.92, 0.98), (0.6, 0.7)), ((0.93, 0.99), (0.72, 0.8)), ((0.02, 0.05), (0.72, 0.8))),
    "boot": (((0.08, 0.15), (0.05, 0.15)), ((0.4, 0.5), (0.05, 0.15)), ((0.42, 0.52), (0.5, 0.6)),
             ((0.9, 0.97), (0.7, 0.8)), ((0.9, 0.98), (0.88, 0.95)), ((0.08, 0.15), (0.88, 0.95))),
    "bag": (((0.05, 0.12), (0.35, 0.5)), ((0.88, 0.95), (0.35, 0.5)), ((0.88, 0.95), (0.85, 0.95)),
            ((0.05, 0.12), (0.85, 0.95))),
}  # fmt: skip
KINDS = (*HALVES, *OUTLINES)


def clothes(count: int, seed: int) -> np.ndarray:
    """Return so many pictures of clothes, light on dark, uint8 `[count, 28, 28]`."""
    return np.stack([_garment(KINDS[at % len(KINDS)], np.random.default_rng([seed, at])) for at in range(count)])


def _garment(kind: str, rng: np.random.Generator) -> np.ndarray:
    side = SIDE * FINER
    points = np.array([[rng.uniform(*x), rng.uniform(*y)] for x, y in (HALVES.get(kind) or OUTLINES[kind])])
    if kind in HALVES:
        points = np.concatenate([points * [1, 1] + [0.5, 0], points[::-1] * [-1, 1] + [0.5, 0]])
    image = Image.new("L", (side, side))
    ImageDraw.Draw(image).polygon([tuple(point) for point in points * side], fill=int(rng.integers(110, 256)))
    shades = Image.fromarray(rng.uniform(0.6, 1.2, (7, 7)).astype(np.float32))
    light = np.asarray(shades.resize((side, side), Image.Resampling.BICUBIC))
    if rng.random() < STRIPED:
        along = np.indices((side, side))[rng.integers(2)]
        light = light * np.where(along // rng.integers(5, 14) % 2, 1, rng.uniform(0.4, 0.8))
    levels = np.clip(np.asarray(image, np.float32) * light, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(levels).reduce(FINER))
