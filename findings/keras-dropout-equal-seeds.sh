#!/usr/bin/env bash
# Keras 3.15.1: two Dropout layers with the same seed drop the same units, in each step.
#
# Whoever wants runs that can be repeated writes `Dropout(0.5, seed=1)` behind each hidden layer. Units at the same place
# of equally wide layers are then dropped together, and one behind another they keep half of the units, not a quarter, so
# the mean of the output is twice the input's. `keras.utils.set_random_seed(1)` without seeds of layers repeats runs, too.
# Seen: 0.5 of the units kept by two layers of seed 1, 0.25 by seeds 1 and 2, over 100 steps (backend jax 0.10.2).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: keras==3.15.1 numpy==2.4.6 jax==0.10.2
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'END'
import keras
import numpy


def kept(first, second):
    layers = keras.layers.Dropout(0.5, seed=first), keras.layers.Dropout(0.5, seed=second)
    steps = [layers[1](layers[0](numpy.ones((1, 512), "float32"), training=True), training=True) for _ in range(100)]
    return float((numpy.asarray(steps) > 0).mean())


equal, different = kept(1, 1), kept(1, 2)
print(f"kept by two layers of rate 0.5: {equal:.3f} with equal seeds, {different:.3f} with different ones")
assert 0.48 < equal < 0.52 and 0.23 < different < 0.27, "the behaviour has changed"
END
