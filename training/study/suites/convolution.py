"""Define the convolutional suite's network and cells: dropout's place, batch normalisation, training set size."""

from dataclasses import dataclass

import keras

from training.data import SIDE

RATE = 0.25
SITES = ("none", "input", "between_convolutions", "before_pool", "after_pool", "after_dense")
FILTERS, KERNEL, UNITS = (16, 32), 3, 64
SMALL = 2_000  # training images


@dataclass(frozen=True)
class Cell:
    """An arm of the suite: dropout at one of SITES, batch normalisation, and the small or the whole training set."""

    site: str
    batch_norm: bool
    small: bool

    @property
    def name(self) -> str:
        """Return the arm's name."""
        return "_".join(("small" if self.small else "all", *(["bn"] * self.batch_norm), self.site))

    @property
    def title(self) -> str:
        """Return the arm's title."""
        size = f"{SMALL:,} images" if self.small else "all images"
        where = "no dropout" if self.site == "none" else f"dropout {self.site.replace('_', ' ')}"
        return f"{where}{', batch norm' * self.batch_norm}, {size}"


def cells() -> tuple[Cell, ...]:
    """Return all cells, those of the small training set first."""
    return tuple(Cell(site, bn, small) for small in (True, False) for bn in (False, True) for site in SITES)


def build(cell: Cell, classes: int, seed: int) -> keras.Sequential:
    """Return conv 3×3×16, ReLU, conv 3×3×32, ReLU, max pool, dense 64, ReLU, dense; dropout where the cell has it."""
    layers = keras.layers

    def dropout(site: str) -> list[keras.Layer]:
        return [layers.Dropout(RATE, seed=seed)] if site == cell.site else []

    def convolution(number: int) -> list[keras.Layer]:
        norm = [layers.BatchNormalization()] if cell.batch_norm else []
        return [layers.Conv2D(FILTERS[number], KERNEL, kernel_initializer=glorot(number)), *norm, layers.ReLU()]

    def glorot(number: int) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=seed * 1_000 + number)

    return keras.Sequential([
        keras.Input((SIDE, SIDE, 1)),
        *dropout("input"),
        *convolution(0),
        *dropout("between_convolutions"),
        *convolution(1),
        *dropout("before_pool"),
        layers.MaxPooling2D(),
        *dropout("after_pool"),
        layers.Flatten(),
        layers.Dense(UNITS, activation="relu", kernel_initializer=glorot(2)),
        *dropout("after_dense"),
        layers.Dense(classes, kernel_initializer=glorot(3)),
    ])  # fmt: skip
