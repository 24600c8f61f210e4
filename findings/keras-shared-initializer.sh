#!/usr/bin/env bash
# Keras 3.15.1: layers that share an initializer begin with the same weights, though it was given no seed.
#
# An initializer draws its seed when it is made, and returns the same values for the same shape ever after. So two hidden
# layers of one width that take `initializer = GlorotUniform()` are equal; by name, "glorot_uniform", each gets its own.
# Seen: equal kernels with one instance; different ones by name (backend jax 0.10.2).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: keras==3.15.1 numpy==2.4.6 jax==0.10.2
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'END'
import keras
import numpy


def equal(initializer):
    layers = [keras.layers.Dense(16, kernel_initializer=initializer) for _ in range(2)]
    keras.Sequential([keras.Input((16,)), *layers])
    return numpy.array_equal(*(numpy.asarray(layer.kernel) for layer in layers))


shared, named = equal(keras.initializers.GlorotUniform()), equal("glorot_uniform")
print(f"equal kernels: one instance for both layers: {shared}; by name: {named}")
assert shared and not named, "the behaviour has changed"
END
