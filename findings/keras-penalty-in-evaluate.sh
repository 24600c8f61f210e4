#!/usr/bin/env bash
# Keras 3.15.1: the loss that `evaluate` gives has the L2 penalty in it, also on validation and test images.
#
# Curves of `loss` and `val_loss` of models with L2 and without are therefore no comparison, nor is early stopping on
# them. The cross-entropy alone comes from a metric of that name.
# Seen: with a penalty of the sum of squares (L2(1.0)) the loss is the metric plus exactly that sum (backend jax 0.10.2).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: keras==3.15.1 numpy==2.4.6 jax==0.10.2
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'END'
import keras
import numpy

name = "sparse_categorical_crossentropy"
layer = keras.layers.Dense(3, "softmax", kernel_regularizer=keras.regularizers.L2(1.0))
model = keras.Sequential([keras.Input((4,)), layer])
model.compile(loss=name, metrics=[name])
loss, cross_entropy = model.evaluate(numpy.ones((8, 4), "float32"), numpy.zeros(8, int), verbose=0)
penalty = float((numpy.asarray(layer.kernel) ** 2).sum())
print(f"loss {loss:.4f}, cross-entropy {cross_entropy:.4f}, penalty {penalty:.4f}")
assert penalty > 0.1 and abs(loss - cross_entropy - penalty) < 1e-4, "the behaviour has changed"
END
