"""Compile the optimiser's loop over steps: one trace serves every member of the same shape."""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from training import network, noise
from training.variants import RATE_SCHEDULES, AdaptRecipe, ChampionRecipe, Recipe, Variant

# Rounds of the cipher that permutes indices. With the four of tf.random.experimental.index_shuffle, images that share a
# batch share the next epoch's far more often than by chance; from eight rounds on they do not.
SHUFFLE_ROUNDS = 16
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Adam's, as Keras has them


class State(NamedTuple):
    """Weights, kernels and biases in turn, and Adam's two moments of each gradient: training changes them."""

    weights: list[tf.Variable]
    means: list[tf.Variable]
    squares: list[tf.Variable]

    @classmethod
    def of(cls, weights: list[tf.Variable]) -> "State":
        """Return the state before the first step."""
        return cls(
            weights, [tf.Variable(tf.zeros_like(w)) for w in weights], [tf.Variable(tf.zeros_like(w)) for w in weights]
        )


class Settings(NamedTuple):
    """Tensors that differ between members of one kind, so that one trace serves them all."""

    seed: tf.Tensor  # int32
    noise: tf.Tensor  # float32 [3]: Noise.numbers
    l2: tf.Tensor  # float32
    weight_decay: tf.Tensor  # float32
    learning_rate: tf.Tensor  # float32 [4]: rate, level, change and last step of variants.RATE_SCHEDULES

    @classmethod
    def of(cls, variant: Variant, seed: int, recipe: Recipe | ChampionRecipe | AdaptRecipe, images: int) -> "Settings":
        """Return the settings of a variant trained from `seed` by a recipe on this many images."""
        rates = recipe.learning_rate, *RATE_SCHEDULES[variant.learning_rate_schedule]
        last = max(1, recipe.steps(images) - 1)
        noise_numbers = variant.noise.numbers if variant.noise else (0.0, 0.0, 0.0)
        return cls(
            tf.constant(seed), tf.constant(noise_numbers), tf.constant(variant.l2), tf.constant(variant.weight_decay),
            tf.constant((*rates, float(last))),
        )  # fmt: skip


class Kind(NamedTuple):
    """Traits of a variant that decide the shape of its loop."""

    noise: str | None
    has_l2: bool
    has_weight_decay: bool

    @classmethod
    def of(cls, variant: Variant) -> "Kind":
        """Return a variant's."""
        return cls(variant.noise.kind if variant.noise else None, variant.l2 > 0, variant.weight_decay > 0)


def compile_loop(kind: Kind, batch: int, images: int) -> Callable[..., tf.Tensor]:
    """Return a function that advances a member of a kind by some steps and returns the last step's loss.

    Its arguments: the member's State; all training images, uint8 `[images, pixels]`, and labels, int32 `[images]`;
    the first step and the one to stop before, int32; the member's Settings. The loss is the batch's mean cross-entropy
    plus the L2 penalty.
    """

    @tf.function(autograph=False)
    def run(
        state: State, x: tf.Tensor, y: tf.Tensor, start: tf.Tensor, stop: tf.Tensor, settings: Settings
    ) -> tf.Tensor:
        def body(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = batch_indices(step, settings.seed, batch, images)
            inputs = network.pixels_to_inputs(tf.gather(x, chosen))
            masks = None
            if kind.noise:
                strength = noise.strength_at(settings.noise, step)
                masks = draw_masks(kind.noise, state.weights, tf.shape(chosen)[0], strength, settings.seed, step)
            loss, gradients = network.loss_and_gradients(state.weights, inputs, tf.gather(y, chosen), masks)
            if kind.has_l2:
                loss = tf.cond(step + 1 < stop, lambda: loss, lambda: loss + l2_penalty(state.weights, settings.l2))
                gradients = [g + settings.l2 * w for g, w in zip(gradients, state.weights, strict=True)]
            rate = learning_rate_at(settings.learning_rate, step)
            adam(state, gradients, step, rate, settings.weight_decay if kind.has_weight_decay else None)
            return step + 1, loss

        return tf.while_loop(lambda step, _: step < stop, body, (start, tf.constant(0.0)))[1]

    return run


def learning_rate_at(numbers: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Return the learning rate at a step of Settings' `learning_rate`, float32 `[4]`."""
    rate, level, change, last = tf.unstack(numbers)
    return rate * (level + change * tf.cos(math.pi * tf.cast(step, tf.float32) / last))


def batch_indices(step: tf.Tensor, seed: tf.Tensor, batch: int, images: int) -> tf.Tensor:
    """Return which images a step trains on, int32 `[batch]` or fewer; each epoch is its own permutation of all."""
    steps_per_epoch = -(-images // batch)
    epoch, place = step // steps_per_epoch, step % steps_per_epoch
    places = tf.range(place * batch, tf.minimum((place + 1) * batch, images))
    key = tf.stack([seed, epoch, 0])
    return tf.raw_ops.RandomIndexShuffle(index=places, seed=key, max_index=images - 1, rounds=SHUFFLE_ROUNDS)


def draw_masks(
    kind: str, weights: list[tf.Variable], rows: tf.Tensor, strength: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
) -> list[tf.Tensor]:
    """Return a step's masks, float32 `[rows, units]`, one a hidden layer that has noise."""
    return [
        noise.MASKS[kind](rows, kernel.shape[1], strength, tf.stack([seed, step * network.NOISE_AFTER + layer]))
        for layer, kernel in enumerate(weights[::2][: network.NOISE_AFTER])
    ]


def l2_penalty(weights: list[tf.Variable], l2: tf.Tensor) -> tf.Tensor:
    """Return `l2` Σ ½‖w‖² over all weights."""
    # Not by AddN: grappler turns it, and chains of additions, into a temporary variable with a fixed name. Two members
    # in the same loop would share it, and fail now and then.
    return l2 * tf.reduce_sum(tf.stack([tf.nn.l2_loss(w) for w in weights]))


def adam(
    state: State, gradients: list[tf.Tensor], step: tf.Tensor, learning_rate: tf.Tensor, weight_decay: tf.Tensor | None
) -> None:
    """Apply one step of Adam (Kingma & Ba 2015, bias correction folded into the rate), or of AdamW, in place."""
    t = tf.cast(step + 1, tf.float32)
    # Unless the kernel waits for all gradients, it writes weights that a gradient still reads, and has to copy them.
    with tf.control_dependencies(gradients):
        for weight, mean, square, gradient in zip(*state, gradients, strict=True):
            decayed = [] if weight_decay is None else [weight.assign_sub(learning_rate * weight_decay * weight)]
            with tf.control_dependencies(decayed):
                tf.raw_ops.ResourceApplyAdam(
                    var=weight.handle, m=mean.handle, v=square.handle, beta1_power=BETA_1**t, beta2_power=BETA_2**t,
                    lr=learning_rate, beta1=BETA_1, beta2=BETA_2, epsilon=EPSILON, grad=gradient,
                )  # fmt: skip
