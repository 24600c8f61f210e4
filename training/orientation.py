"""Recognise images that are stored columns first, as EMNIST's are."""

import numpy as np

ONE = 1  # the class of an upright stroke, and in Fashion-MNIST of trousers: both are taller than wide
FEWEST = 10  # images of it that say something
CLEAR = 2.0  # times as much variance of the ink one way as the other is no matter of slant


def columns_first(images: np.ndarray, labels: np.ndarray, name: str) -> bool:
    """Say whether images, uint8 `[n, rows, columns]`, have their columns where rows belong.

    Images of class 1 tell it, where they lie or stand; otherwise the files' `name` does. EMNIST's files hold all
    images mirrored and turned by 90° (its Readme), which is transposed. Its letters have no class that tells.
    """
    ones = images[labels == ONE].astype(np.float64)
    if len(ones) >= FEWEST:
        across, down = (_variance(ones.sum(axis=axis)) for axis in (1, 2))
        wider = float(np.median(across / np.maximum(down, 1e-9)))
        if not 1 / CLEAR < wider < CLEAR:
            return wider > 1
    return "emnist" in name.lower()


def _variance(profiles: np.ndarray) -> np.ndarray:
    """Return the variance of place in each profile of ink, `[n, side]`."""
    places = np.arange(profiles.shape[1])
    mass = np.maximum(profiles.sum(axis=1), 1)
    return profiles @ places**2 / mass - (profiles @ places / mass) ** 2
