"""The table of variants: the only place where their names and their regularisation stand."""

import math
from dataclasses import dataclass
from types import MappingProxyType

KINDS = ("bernoulli", "uniform", "gaussian")
# What the strength of noise is multiplied by at step t: level + change · exp(−GAMMA t). "rising" is Curriculum Dropout,
# "falling" its annealed counterpart (Morerio, Cavazza, Volpi, Vidal & Murino 2017); the share that is kept goes the
# other way.
GAMMA = 1e-3
SCHEDULES = MappingProxyType({"constant": (1.0, 0.0), "falling": (0.0, 1.0), "rising": (1.0, -1.0)})
# What the learning rate is multiplied by at step t of 0 … last: level + change · cos(π t / last). "cosine" ends at 0.
RATE_SCHEDULES = MappingProxyType({"constant": (1.0, 0.0), "cosine": (0.5, 0.5)})


@dataclass(frozen=True)
class Noise:
    """What multiplies hidden units while training.

    `strength` is the fraction of units dropped (bernoulli), the half-width around 1 (uniform) or the deviation around
    one half, before clipping and doubling (gaussian); training/noise.py has the masks.
    """

    kind: str
    strength: float
    schedule: str = "constant"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no noise {self.kind!r}; there is {', '.join(KINDS)}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"no schedule {self.schedule!r}; there is {', '.join(SCHEDULES)}")
        if not (0 <= self.strength < 1 or (self.strength == 1 and self.kind == "uniform")):
            raise ValueError(f"noise of strength {self.strength:g}; it must be from 0 to below 1, or 1 if uniform")

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Return strength, level and change: arguments of a compiled loop, so that one loop serves them all."""
        return self.strength, *SCHEDULES[self.schedule]

    def strength_at(self, step: int) -> float:
        """Return the strength at a step."""
        level, change = SCHEDULES[self.schedule]
        return self.strength * (level + change * math.exp(-GAMMA * step))


@dataclass(frozen=True)
class Variant:
    """One way of regularising the network.

    `noise` is on the outputs of the first two hidden layers; dropout is its Bernoulli kind.
    `l2` is the coefficient of Σ `tf.nn.l2_loss(p)` = Σ ½‖p‖² over all trainable variables, biases included;
    Keras' `regularizers.l2(c)` leaves the ½ out, so `l2` here is 2c there.
    `weight_decay` is decoupled, as in Keras' AdamW (Loshchilov & Hutter 2019): each step takes it times the learning
    rate of every trainable variable, biases included. `learning_rate_schedule` is one of RATE_SCHEDULES.
    """

    name: str
    title: str
    noise: Noise | None = None
    l2: float = 0.0
    weight_decay: float = 0.0
    learning_rate_schedule: str = "constant"
    published_accuracy: float | None = None  # what the blog post's one run printed last

    def __post_init__(self) -> None:
        if self.learning_rate_schedule not in RATE_SCHEDULES:
            raise ValueError(
                f"no learning rate schedule {self.learning_rate_schedule!r}; there is {', '.join(RATE_SCHEDULES)}"
            )
        for what in ("l2", "weight_decay"):
            if not 0 <= getattr(self, what) < math.inf:
                raise ValueError(f"{what} of {getattr(self, what):g}; it must be a number from 0")

    @property
    def dropout(self) -> float:
        """Return the rate of the Keras Dropout layers that the network has: 0 without noise or with another kind."""
        return self.noise.strength if self.noise and self.noise.kind == "bernoulli" else 0.0


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained: Adam, each epoch all images, its last batch being what is left."""

    batch: int = 128
    epochs: int = 10
    learning_rate: float = 0.01
    report_every: int = 500

    def steps(self, images: int) -> int:
        """Return the number of optimiser steps for so many images to learn from."""
        return self.epochs * -(-images // self.batch)

    def learned_from(self, images: int) -> int:
        """Return how many of so many training images are learned from: all."""
        return images


@dataclass(frozen=True)
class ChampionRecipe:
    """How the champion is trained: AdamW, its rate rising to `learning_rate`, then falling to 0 by a cosine.

    Every image is distorted anew `draws` times, set upright, and learned from `passes` times each. Served is the
    weights' moving average, of which each step keeps `average`. Without `distort`, `set_upright`, or an average, it is
    the champion less that: `make verify-champion` shows what each is worth.
    """

    batch: int = 256
    draws: int = 36
    passes: int = 2
    learning_rate: float = 3e-3
    warm_up: int = 500  # steps
    average: float = 0.999
    distort: bool = True
    set_upright: bool = True
    report_every: int = 6  # draws

    def steps(self, images: int) -> int:
        """Return the number of optimiser steps for so many images to learn from."""
        return self.draws * self.passes * -(-images // self.batch)

    def learned_from(self, images: int) -> int:
        """Return how many of so many training images, the first, are learned from: 55,000 of 60,000.

        The others are held out.
        """
        return images - images // 12


DROPOUT = Noise("bernoulli", 0.5)

# The blog post's four: the same network, batches and optimiser under four regularisations.
BLOG_POST = (
    Variant("plain", "No regularisation"),
    Variant("dropout", "Dropout 0.5", noise=DROPOUT, published_accuracy=0.9635),
    Variant("l2", "L2 1e-4", l2=1e-4, published_accuracy=0.9652),
    Variant("dropout_l2", "Dropout 0.5 and L2 1e-4", noise=DROPOUT, l2=1e-4, published_accuracy=0.9496),
)
CHAMPION = Variant(
    "champion", "Distorted images set upright, averaged weights", weight_decay=0.05, learning_rate_schedule="cosine"
)

VARIANTS = (*BLOG_POST, CHAMPION)

DEFAULT = CHAMPION.name  # answers where nothing else is asked for


def select(names: list[str]) -> tuple[Variant, ...]:
    """Return the variants of these names, in the table's order; raise ValueError for a name it does not have."""
    unknown = sorted(set(names) - {v.name for v in VARIANTS})
    if unknown:
        raise ValueError(f"no variant {', '.join(unknown)}; there are {', '.join(v.name for v in VARIANTS)}")
    return tuple(v for v in VARIANTS if v.name in names)
