"""The table of variants: the only place where their names and their regularisation stand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One way of regularising the network.

    `dropout` is the fraction of units set to zero after each of the first two hidden layers while training.
    `l2` is the coefficient of Σ `tf.nn.l2_loss(p)` = Σ ½‖p‖² over all trainable variables, biases included;
    Keras' `regularizers.l2(c)` leaves the ½ out, so `l2` here is 2c there.
    """

    name: str
    title: str
    dropout: float = 0.0
    l2: float = 0.0
    published_accuracy: float | None = None  # what the blog post's one run printed last


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained: Adam at a constant rate, each epoch all images, its last batch being what is left."""

    batch: int = 128
    epochs: int = 10
    learning_rate: float = 0.01
    report_every: int = 500

    def steps(self, images: int) -> int:
        """Return the number of optimiser steps for a training set of so many images."""
        return self.epochs * -(-images // self.batch)


VARIANTS = (
    Variant("plain", "No regularisation"),
    Variant("dropout", "Dropout 0.5", dropout=0.5, published_accuracy=0.9635),
    Variant("l2", "L2 1e-4", l2=1e-4, published_accuracy=0.9652),
    Variant("dropout_l2", "Dropout 0.5 and L2 1e-4", dropout=0.5, l2=1e-4, published_accuracy=0.9496),
)

# Answers where nothing else is asked for: the best of the four in the mean of ten seeds (README, "What to expect").
DEFAULT = "plain"


def select(names: list[str]) -> tuple[Variant, ...]:
    """Return the variants of these names, in the table's order; raise ValueError for a name it does not have."""
    unknown = sorted(set(names) - {v.name for v in VARIANTS})
    if unknown:
        raise ValueError(f"no variant {', '.join(unknown)}; there are {', '.join(v.name for v in VARIANTS)}")
    return tuple(v for v in VARIANTS if v.name in names)
