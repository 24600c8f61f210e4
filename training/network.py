"""Define the network: five dense layers, ReLU between them, noise after the first two."""

import keras
import tensorflow as tf

HIDDEN = (256, 128, 64, 32)
NOISE_AFTER = 2  # hidden layers


def build(inputs: int, classes: int, dropout: float, seed: int) -> keras.Sequential:
    """Return the Keras network for `inputs` pixels and `classes`, Glorot-uniform weights drawn from `seed`."""
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
    layer's output; None is inference. Compiled loops and SavedModels need the Keras network in these plain operations;
    a test holds the two together.
    """
    return _dense(_layer_inputs(weights, x, masks)[-1], *weights[-2:])


def loss_and_gradients(
    weights: list[tf.Variable], x: tf.Tensor, y: tf.Tensor, masks: list[tf.Tensor] | None = None
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Return the mean cross-entropy of a batch with labels `[n]`, and its gradient by each weight.

    Written out: a tape adds operations, which cost time in so small a step. Masks must not be negative.
    """
    inputs = _layer_inputs(weights, x, masks)
    losses, by_logits = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
        features=_dense(inputs[-1], *weights[-2:]), labels=y
    )
    gradients: list[tf.Tensor] = []
    back = by_logits / tf.cast(tf.shape(y)[0], tf.float32)
    for i in reversed(range(len(inputs))):
        gradients = [
            tf.matmul(inputs[i], back, transpose_a=True),
            tf.raw_ops.BiasAddGrad(out_backprop=back),
            *gradients,
        ]
        if i > 0:
            back = tf.matmul(back, weights[2 * i], transpose_b=True)
            if masks and i <= len(masks):
                back *= masks[i - 1]
            back = tf.raw_ops.ReluGrad(gradients=back, features=inputs[i])
    return tf.reduce_mean(losses), gradients


def _layer_inputs(weights: list[tf.Variable], x: tf.Tensor, masks: list[tf.Tensor] | None) -> list[tf.Tensor]:
    """Return each layer's input: `x`, then each hidden layer's output, masked where it has a mask."""
    inputs = [x]
    for i in range(len(weights) // 2 - 1):
        x = tf.nn.relu(_dense(x, weights[2 * i], weights[2 * i + 1]))
        if masks and i < len(masks):
            x *= masks[i]
        inputs.append(x)
    return inputs


def _dense(x: tf.Tensor, kernel: tf.Variable, bias: tf.Variable) -> tf.Tensor:
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def probabilities(weights: list[tf.Variable], images: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """Return the class probabilities `[n, classes]` of uint8 images `[n, …]`, dropout off."""
    return tf.nn.softmax(logits(weights, pixels_to_inputs(images)) / temperature)


def entropy(p: tf.Tensor) -> tf.Tensor:
    """Return the entropy of each distribution in the rows of `[n, classes]`, in nats."""
    return -tf.reduce_sum(tf.math.xlogy(p, p), axis=1)
