"""The network: five dense layers, ReLU between them, noise after the first two."""

import keras
import tensorflow as tf

HIDDEN = (256, 128, 64, 32)
NOISE_AFTER = 2  # hidden layers


def build(inputs: int, classes: int, dropout: float, seed: int) -> keras.Sequential:
    """Return the Keras network of `inputs` pixels and so many classes, Glorot-uniform weights drawn from `seed`."""
    layers: list[keras.Layer] = [keras.Input((inputs,))]
    for i, units in enumerate(HIDDEN):
        layers.append(keras.layers.Dense(units, activation="relu", kernel_initializer=_glorot(seed, i)))
        if dropout and i < NOISE_AFTER:
            layers.append(keras.layers.Dropout(dropout))
    layers.append(keras.layers.Dense(classes, kernel_initializer=_glorot(seed, len(HIDDEN))))
    return keras.Sequential(layers, name="network")


def _glorot(seed: int, layer: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=seed * 1_000 + layer)


def pixels_to_inputs(images: tf.Tensor) -> tf.Tensor:
    """Return uint8 images `[n, …]` as the network's inputs, float32 `[n, pixels]` in 0…1."""
    return tf.reshape(tf.cast(images, tf.float32), [tf.shape(images)[0], -1]) / 255.0


def logits(weights: list[tf.Variable], x: tf.Tensor, masks: list[tf.Tensor] | None = None) -> tf.Tensor:
    """Return the logits `[n, classes]` of inputs `[n, pixels]`.

    `weights` alternates kernels and biases, as Keras lists them. `masks[i]`, `[n, units]`, multiplies the i-th hidden
    layer's output; None is inference. It is the Keras network in plain operations, which a compiled loop and a
    SavedModel need; a test holds the two together.
    """
    kernels, biases = weights[::2], weights[1::2]
    for i, (kernel, bias) in enumerate(zip(kernels[:-1], biases[:-1], strict=True)):
        x = tf.nn.relu(tf.matmul(x, kernel) + bias)
        if masks and i < len(masks):
            x *= masks[i]
    return tf.matmul(x, kernels[-1]) + biases[-1]


def probabilities(weights: list[tf.Variable], images: tf.Tensor) -> tf.Tensor:
    """Return the class probabilities `[n, classes]` of uint8 images `[n, …]`, dropout off."""
    return tf.nn.softmax(logits(weights, pixels_to_inputs(images)))
