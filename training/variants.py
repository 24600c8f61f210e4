"""The table of variants: names, regularisation and recipes stand here and nowhere else."""

import math
import re
from dataclasses import dataclass, replace
from types import MappingProxyType

KINDS = ("bernoulli", "uniform", "gaussian")
# Factor of the noise's strength at step t: level + change · exp(−GAMMA t). "rising" is Curriculum Dropout, "falling"
# its annealed counterpart (Morerio, Cavazza, Volpi, Vidal & Murino 2017). The share of units kept goes the other way.
GAMMA = 1e-3
SCHEDULES = MappingProxyType({"constant": (1.0, 0.0), "falling": (0.0, 1.0), "rising": (1.0, -1.0)})
# Factor of the learning rate at step t of 0 … last: level + change · cos(π t / last). "cosine" ends at 0.
RATE_SCHEDULES = MappingProxyType({"constant": (1.0, 0.0), "cosine": (0.5, 0.5)})


@dataclass(frozen=True)
class Noise:
    """Multiplicative noise on hidden units while training.

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
        """Return strength, level and change: arguments of a compiled loop, so that one loop serves all noise."""
        return self.strength, *SCHEDULES[self.schedule]

    def strength_at(self, step: int) -> float:
        """Return the strength at a step."""
        level, change = SCHEDULES[self.schedule]
        return self.strength * (level + change * math.exp(-GAMMA * step))


@dataclass(frozen=True)
class Recipe:
    """Train by Adam; an epoch takes every image once, and its last batch may be smaller."""

    batch: int = 128
    epochs: int = 10
    learning_rate: float = 0.01
    report_every: int = 500

    def steps(self, images: int) -> int:
        """Return the number of optimiser steps on this many images."""
        return self.epochs * -(-images // self.batch)

    def learned_from(self, images: int) -> int:
        """Return how many of the training images are learned from: all."""
        return images


@dataclass(frozen=True)
class ChampionRecipe:
    """Train by AdamW on distorted images; the rate rises to `learning_rate`, then follows the variant's schedule.

    Each of the `draws` distorts every image anew and sets it upright; the network learns from it `passes` times. The
    result is the weights' moving average, of which each step keeps `average`. Short runs rise sooner and keep less, or
    they would end while the rate rises, and with much of the first weights. `make verify-champion` shows the worth of
    `distort`, `set_upright`, `flagged` and `average` by leaving each out.
    """

    batch: int = 256
    draws: int = 36
    passes: int = 2
    learning_rate: float = 3e-3
    warm_up: int = 500  # steps, at most a twentieth of all
    average: float = 0.999  # at most
    distort: bool = True
    set_upright: bool = True
    flagged: float = 0.15  # share of the 1s that get a flag
    report_every: int = 6  # draws

    def steps(self, images: int) -> int:
        """Return the number of optimiser steps on this many images."""
        return self.draws * self.passes * -(-images // self.batch)

    def rising(self, images: int) -> int:
        """Return the number of steps over which the rate rises."""
        return max(1, min(self.warm_up, self.steps(images) // 20))

    def kept(self, images: int) -> float:
        """Return the share of the average that a step keeps; of the first weights e⁻¹⁰ is left, or less."""
        return min(self.average, max(0.0, 1 - 10 / self.steps(images)))

    def learned_from(self, images: int) -> int:
        """Return how many of the training images, the first, are learned from; the last twelfth is held out."""
        return images - images // 12


@dataclass(frozen=True)
class AdaptRecipe:
    """Train on from the variant `base` by AdamW: each batch has `labelled` labelled images, and others `replayed`.

    Both are distorted; of the replayed ones, a share of `plain` is not. The network is to answer these as `base` does,
    so that it forgets little of them. The result is the weights' moving average, of which each step keeps `average`.

    The loss on a labelled image is (1 − p^q) / q, p being the probability of its label and q `robustness`, above 0 to
    1, so that wrong labels teach little (Zhang & Sabuncu 2018).
    """

    base: str = "champion"
    labelled: int = 100
    distortions: int = 60_000  # of labelled images that are made, about; the same ones then come again
    robustness: float = 0.7
    replayed: int = 300
    plain: float = 0.25
    length: int = 1250  # steps
    learning_rate: float = 1e-3
    average: float = 0.995
    report_every: int = 500  # steps

    def __post_init__(self) -> None:
        if not 0 < self.robustness <= 1:
            raise ValueError(f"robustness of {self.robustness:g}; it must be above 0 and at most 1")

    @property
    def batch(self) -> int:
        """Return the number of images in a batch; fewer where there are fewer labelled ones."""
        return self.labelled + self.replayed

    def steps(self, images: int) -> int:
        """Return the number of optimiser steps, on any number of images."""
        return self.length

    def learned_from(self, images: int) -> int:
        """Return how many of the training images, the first, are replayed; the last twelfth is held out."""
        return images - images // 12


@dataclass(frozen=True)
class Variant:
    """One way of regularising and training the network.

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
    recipe: Recipe | ChampionRecipe | AdaptRecipe = Recipe()
    published_accuracy: float | None = None  # the last figure of the blog post's one run

    def __post_init__(self) -> None:
        if not isinstance(self.recipe, Recipe) and (self.noise or self.l2):
            raise ValueError(f"noise or l2 of {self.name}; {type(self.recipe).__name__} trains without either")
        if self.learning_rate_schedule not in RATE_SCHEDULES:
            raise ValueError(
                f"no learning rate schedule {self.learning_rate_schedule!r}; there is {', '.join(RATE_SCHEDULES)}"
            )
        for what in ("l2", "weight_decay"):
            if not 0 <= getattr(self, what) < math.inf:
                raise ValueError(f"{what} of {getattr(self, what):g}; it must be a number from 0")

    @property
    def dropout(self) -> float:
        """Return the rate of the network's Keras Dropout layers: 0 without noise or with another kind."""
        return self.noise.strength if self.noise and self.noise.kind == "bernoulli" else 0.0


DROPOUT = Noise("bernoulli", 0.5)

# The blog post's four: the same network, batches and optimiser under four regularisations.
BLOG_POST = (
    Variant("plain", "No regularisation"),
    Variant("dropout", "Dropout 0.5", noise=DROPOUT, published_accuracy=0.9635),
    Variant("l2", "L2 1e-4", l2=1e-4, published_accuracy=0.9652),
    Variant("dropout_l2", "Dropout 0.5 and L2 1e-4", noise=DROPOUT, l2=1e-4, published_accuracy=0.9496),
)
CHAMPION = Variant(
    "champion", "Distorted images set upright, averaged weights", weight_decay=0.05, learning_rate_schedule="cosine",
    recipe=ChampionRecipe(),
)  # fmt: skip

VARIANTS = (*BLOG_POST, CHAMPION)
# Learns from the labels that people give, by `python -m training adapt`; the others learn from an image set alone.
ADAPTED = Variant(
    "adapted", "The champion, trained on with labels", learning_rate_schedule="cosine", recipe=AdaptRecipe()
)  # fmt: skip

DEFAULT = CHAMPION.name  # answers a request that names no variant; the first of the table until it is published


def select(names: list[str]) -> tuple[Variant, ...]:
    """Return the variants of these names, in the table's order; raise ValueError for a name it does not have."""
    unknown = sorted(set(names) - {v.name for v in VARIANTS})
    if unknown:
        raise ValueError(f"no variant {', '.join(unknown)}; there are {', '.join(v.name for v in VARIANTS)}")
    return tuple(v for v in VARIANTS if v.name in names)


def candidate(name: str, steps: int = AdaptRecipe.length) -> Variant:
    """Return the variant that learns from labels under another name; raise ValueError for a taken or an unfit one."""
    if name in {v.name for v in VARIANTS} or not re.fullmatch("[a-z0-9_]+", name):
        raise ValueError(f"no candidate can be called {name!r}; use a-z, 0-9 and _, such as {ADAPTED.name}_2")
    return replace(ADAPTED, name=name, recipe=AdaptRecipe(length=steps))
