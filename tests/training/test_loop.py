from typing import Any, cast

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from training import loop, network
from training.variants import Noise, Recipe, Variant

pytestmark = pytest.mark.slow


def test_an_epoch_is_a_permutation_of_all_images() -> None:
    epochs = [
        np.concatenate([loop.batch_indices(tf.constant(e * 8 + s), tf.constant(7), 128, 1000) for s in range(8)])
        for e in range(2)
    ]
    assert all(sorted(epoch) == list(range(1000)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_images_that_share_a_batch_do_so_again_no_more_than_by_chance() -> None:
    images, batch = 12_800, 128
    orders = [
        np.concatenate(
            [loop.batch_indices(tf.constant(e * 100 + s), tf.constant(7), batch, images) for s in range(100)]
        )
        for e in range(2)
    ]
    batches = np.empty((2, images), int)
    for of_image, order in zip(batches, orders, strict=True):
        of_image[order] = np.arange(images) // batch
    _, together = np.unique(batches[0] * 100 + batches[1], return_counts=True)
    pairs = (together * (together - 1) // 2).sum()
    expected = images / 2 * (batch - 1) * (batch - 1) / (images - 1)
    assert pairs == pytest.approx(expected, abs=5 * expected**0.5)


def test_members_of_other_seeds_see_other_batches() -> None:
    a, b = (loop.batch_indices(tf.constant(0), tf.constant(seed), 128, 1000) for seed in (1, 2))
    assert (a.numpy() != b.numpy()).any()


@pytest.mark.parametrize(("kind", "strength"), [("bernoulli", 0.5), ("uniform", 1.0), ("gaussian", 0.32)])
def test_masks_are_independent_across_members_layers_and_steps(kind: str, strength: float) -> None:
    weights = [tf.zeros([3, 64]), tf.zeros([64]), tf.zeros([64, 64]), tf.zeros([64])]
    draws = [
        mask.numpy().ravel()
        for seed in (1, 2)
        for step in (0, 1, 2)
        for mask in loop.draw_masks(
            kind, weights, tf.constant(500), tf.constant(strength), tf.constant(seed), tf.constant(step)
        )
    ]
    assert len(draws) == 2 * 3 * 2
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(correlations).max() < 4.5 / draws[0].size ** 0.5


@pytest.mark.parametrize(("l2", "decay"), [(0.0, 0.0), (1e-2, 0.0), (0.0, 0.1), (1e-2, 0.1)])
def test_a_step_is_keras_own(l2: float, decay: float) -> None:
    """The loss, its gradient (the penalty's over biases too) and the update are what Keras makes of them."""
    model, ours = network.build(784, 10, 0.0, seed=1), network.build(784, 10, 0.0, seed=1)
    optimizer = keras.optimizers.AdamW(0.01, decay) if decay else keras.optimizers.Adam(0.01)
    images = np.random.default_rng(1).integers(0, 256, (128, 784), np.uint8)
    labels = tf.range(128) % 10
    with tf.GradientTape() as tape:
        outputs = model(network.pixels_to_inputs(images), training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, outputs)
        if l2:
            loss += l2 * tf.add_n([tf.nn.l2_loss(v.value) for v in model.trainable_variables])
    optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]), model.trainable_variables)
    variant = Variant("one", "One", l2=l2, weight_decay=decay)
    run, state = loop.compile_loop(loop.Kind.of(variant), 128, 128), loop.State.of([v.value for v in ours.variables])
    settings = loop.Settings.of(variant, 1, Recipe(), 128)
    our_loss = run(state, tf.constant(images), labels, tf.constant(0), tf.constant(1), settings)
    np.testing.assert_allclose(our_loss, loss, rtol=1e-6)
    for a, b in zip(state.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)  # Adam divides by gradients that may be next to nothing


@pytest.mark.parametrize("kind", [None, "bernoulli", "uniform", "gaussian"])
@pytest.mark.parametrize("penalised", [False, True])
def test_optimised_loops_share_no_temporary_variable(kind: str | None, penalised: bool) -> None:
    """Two members in the same loop at a time would fail over it, now and then."""
    run = loop.compile_loop(loop.Kind(kind, penalised, penalised), 128, 60_000)
    noise = Noise(kind, 0.3) if kind else None
    settings = loop.Settings.of(Variant("one", "One", noise, l2=1e-4), 1, Recipe(), 60_000)
    state = loop.State.of([v.value for v in network.build(784, 10, 0.5, seed=1).trainable_variables])
    images, labels = tf.zeros([60_000, 784], tf.uint8), tf.zeros([60_000], tf.int32)
    context.enable_run_metadata()
    try:
        run(state, images, labels, tf.constant(0), tf.constant(1), settings)
        graphs = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    parts = [part for graph in graphs for part in graph.partition_graphs]
    used = {node.op for part in parts for node in [*part.node, *(n for f in part.library.function for n in f.node_def)]}
    assert "ResourceApplyAdam" in used
    assert "TemporaryVariable" not in used


@pytest.mark.parametrize("decay", [None, 0.1])
def test_adam_is_keras_step_after_step(decay: float | None) -> None:
    theirs = keras.Variable(np.full(50, 2, np.float32))
    optimizer = keras.optimizers.AdamW(0.01, decay) if decay else keras.optimizers.Adam(0.01)
    state = loop.State.of([tf.Variable(tf.fill([50], 2.0))])
    for step in range(20):
        gradient = tf.random.stateless_normal([50], [step, 0])
        optimizer.apply([gradient], [theirs])
        loop.adam(state, [gradient], tf.constant(step), tf.constant(0.01), decay and tf.constant(decay))
    np.testing.assert_allclose(state.weights[0], theirs.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [("constant", 0, 0.01), ("constant", 4689, 0.01), ("cosine", 0, 0.01), ("cosine", 1563, 0.0075),
     ("cosine", 3126, 0.0025), ("cosine", 4689, 0.0)],
)  # fmt: skip
def test_the_learning_rate_follows_its_schedule(schedule: str, step: int, rate: float) -> None:
    variant = Variant("one", "One", learning_rate_schedule=schedule)
    numbers = loop.Settings.of(variant, 1, Recipe(), 60_000).learning_rate
    assert loop.learning_rate_at(numbers, tf.constant(step)).numpy() == pytest.approx(rate, rel=1e-6, abs=1e-12)


def test_a_schedule_of_one_step_starts_at_the_rate() -> None:
    settings = loop.Settings.of(Variant("one", "One", learning_rate_schedule="cosine"), 1, Recipe(epochs=1), 100)
    assert loop.learning_rate_at(settings.learning_rate, tf.constant(0)).numpy() == pytest.approx(0.01)


def test_one_trace_serves_all_strengths_penalties_and_schedules() -> None:
    run = loop.compile_loop(loop.Kind("bernoulli", True, True), 8, 16)
    for seed, noise, schedule, rate in [
        (1, Noise("bernoulli", 0.5), "constant", 0.01),
        (2, Noise("bernoulli", 0.1, "rising"), "cosine", 0.1),
    ]:
        variant = Variant(
            "one", "One", noise, l2=seed * 1e-4, weight_decay=seed * 1e-2, learning_rate_schedule=schedule
        )
        state = loop.State.of([v.value for v in network.build(4, 2, 0.0, seed).trainable_variables])
        settings = loop.Settings.of(variant, seed, Recipe(8, 2, rate), 16)
        run(state, tf.zeros([16, 4], tf.uint8), tf.zeros([16], tf.int32), tf.constant(0), tf.constant(3), settings)
    assert cast(Any, run).experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("noise", "strength"), [("bernoulli", 0.5), ("uniform", 1.0), ("gaussian", 0.32)])
def test_a_step_with_noise_is_keras_gradient_of_the_masked_network(noise: str, strength: float) -> None:
    model = network.build(784, 10, 0.0, seed=1)
    weights = [v.value for v in model.trainable_variables]
    x, y = tf.random.stateless_uniform([128, 784], [1, 2]), tf.range(128) % 10
    masks = loop.draw_masks(noise, weights, tf.constant(128), tf.constant(strength), tf.constant(1), tf.constant(0))
    with tf.GradientTape() as tape:
        h = x
        for i, layer in enumerate(model.layers):
            h = layer(h) * masks[i] if i < 2 else layer(h)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, h)
    theirs = tape.gradient(loss, weights)
    our_loss, gradients = network.loss_and_gradients(weights, x, y, masks)
    np.testing.assert_allclose(our_loss, loss, rtol=1e-5)
    for a, b in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
