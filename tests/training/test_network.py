import numpy as np
import pytest
import tensorflow as tf

from training import network

pytestmark = pytest.mark.slow


def test_the_network_has_the_posts_parameters() -> None:
    assert network.build(784, 10, dropout=0.5, seed=1).count_params() == 244_522


def test_first_weights_are_the_seeds() -> None:
    a, b, c = (network.build(784, 10, 0.0, seed).get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_plain_operations_are_the_keras_network() -> None:
    model = network.build(784, 10, dropout=0.5, seed=1)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    ours = network.logits([v.value for v in model.trainable_variables], network.pixels_to_inputs(tf.constant(images)))
    np.testing.assert_allclose(ours, model(images.reshape(5, 784) / 255), rtol=1e-5, atol=1e-6)


def test_masks_multiply_the_first_two_hidden_layers() -> None:
    model = network.build(784, 10, dropout=0.5, seed=1)
    weights = [v.value for v in model.trainable_variables]
    x = tf.random.stateless_uniform([3, 784], [1, 2])
    masks = [tf.ones([3, 256]), tf.zeros([3, 128])]
    np.testing.assert_allclose(network.logits(weights, x, masks), network.logits(weights, x * 0), atol=1e-6)
