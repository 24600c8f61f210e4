"""Define the arms of the regularisers' suite: the compared variants and the number of seeds of each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from training.variants import BLOG_POST, DROPOUT, Noise, Variant

SEEDS, FEWER_SEEDS, QUICK_SEEDS = 32, 16, 4
QUICK = ("plain", "dropout", "l2", "dropout_l2", "bernoulli_25", "uniform", "falling")


@dataclass(frozen=True)
class Arm:
    """A variant and the number of seeds, from 1 on, that it is trained from."""

    variant: Variant
    seeds: int = FEWER_SEEDS


def matched(noise: Noise, steps: int) -> Noise:
    """Return constant Bernoulli noise whose variance is the mean over all `steps` of that of a Bernoulli schedule."""
    rates = [noise.strength_at(step) for step in range(steps)]
    variance = math.fsum(rate / (1 - rate) for rate in rates) / len(rates)
    return Noise("bernoulli", variance / (1 + variance))


def _masks() -> Iterator[Variant]:
    """Yield masks of variance 1/3, in three shapes, each plain and with L2."""
    for name, title, noise in (
        ("bernoulli_25", "Dropout 0.25", Noise("bernoulli", 0.25)),
        ("uniform", "Uniform mask 0…2", Noise("uniform", 1.0)),
        ("gaussian", "Gaussian mask σ 0.32", Noise("gaussian", 0.32)),
    ):
        yield Variant(name, title, noise=noise)
        yield Variant(f"{name}_l2", f"{title} and L2 1e-4", noise=noise, l2=1e-4)


def _schedules(steps: int) -> Iterator[Variant]:
    """Yield schedules of dropout and constant rates of equal mean variance, without and with a falling step size."""
    falling, rising = (replace(DROPOUT, schedule=schedule) for schedule in ("falling", "rising"))
    as_falling, as_rising = matched(falling, steps), matched(rising, steps)
    for variant in (
        Variant("plain", "No regularisation"),
        Variant("dropout", "Dropout 0.5", noise=DROPOUT),
        Variant("falling", "Dropout falling from 0.5", noise=falling),
        Variant("as_falling", f"Dropout {as_falling.strength:.3f}, as strong as falling", noise=as_falling),
        Variant("rising", "Dropout rising to 0.5", noise=rising),
        Variant("as_rising", f"Dropout {as_rising.strength:.3f}, as strong as rising", noise=as_rising),
    ):
        if variant.name not in ("plain", "dropout"):  # those are among the seed's four
            yield variant
        yield replace(
            variant, name=f"{variant.name}_cosine", title=f"{variant.title}, cosine rate",
            learning_rate_schedule="cosine",
        )  # fmt: skip


def _penalties() -> Iterator[Variant]:
    """Yield weights of the L2 penalty beside the seed's 1e-4, and of decoupled weight decay."""
    for exponent in (6, 5, 3):
        yield Variant(f"l2_1e{exponent}", f"L2 1e-{exponent}", l2=10.0**-exponent)
    for exponent in (4, 3, 2):
        yield Variant(f"decay_1e{exponent}", f"Weight decay 1e-{exponent}", weight_decay=10.0**-exponent)


def arms(steps: int) -> tuple[Arm, ...]:
    """Return all arms, the seed's four first, for members that are trained for `steps`."""
    return (
        *(Arm(variant, SEEDS) for variant in BLOG_POST),
        *(Arm(variant) for variant in (*_masks(), *_schedules(steps), *_penalties())),
    )
