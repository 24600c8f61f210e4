"""Say which loop trains a recipe and how its members predict: one row a kind of recipe."""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from training import network, population
from training.adapted import train as adapted
from training.champion import train as champion
from training.champion import upright
from training.data import ImageSet
from training.population import Member, OnProgress, OnReport, Trained
from training.stopping import Stop
from training.variants import AdaptRecipe, ChampionRecipe, Recipe


class Train(Protocol):
    """Trains members of one recipe on every core; raises population.Diverged or Stopped."""

    def __call__(
        self,
        members: Sequence[Member],
        data: ImageSet,
        recipe: Any,
        on_report: OnReport,
        stop: Stop,
        on_progress: OnProgress,
    ) -> list[Trained]:
        """Return the trained members in their order."""


class Trainer(NamedTuple):
    """A recipe's training loop, and the function from weights, images and a temperature to probabilities."""

    train: Train
    prediction: Callable[[Any], Callable[..., tf.Tensor]]


TRAINERS = MappingProxyType(
    {
        Recipe: Trainer(population.train, lambda _: network.probabilities),
        ChampionRecipe: Trainer(champion.train, champion.prediction),
        AdaptRecipe: Trainer(adapted.train, lambda _: upright.probabilities),
    }
)


def trainer_of(recipe: Recipe | ChampionRecipe | AdaptRecipe) -> Trainer:
    """Return a recipe's trainer."""
    return TRAINERS[type(recipe)]
