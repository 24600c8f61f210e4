#!/usr/bin/env bash
# Keras 3.15.1 with TensorFlow 2.21.0: an exported model whose dropout is left on repeats its masks after each load.
#
# `export` saves the state of the layer's seed generator, and each load begins with it. So Monte Carlo dropout gives the
# first requests after a restart, and those of each replica, the same "random" samples, with a seed or without.
# Seen: the first two answers differ from each other, and are the same after a second load.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 "$folder/venv/bin/python" - "$folder/model" <<'END'
import sys

import keras
import numpy
import tensorflow


class Sampled(keras.Model):
    def __init__(self):
        super().__init__()
        self.dropout = keras.layers.Dropout(0.5)

    def call(self, inputs):
        return self.dropout(inputs, training=True)


model = Sampled()
model(numpy.ones((1, 64), "float32"))
model.export(sys.argv[1], verbose=False, input_signature=[tensorflow.TensorSpec((None, 64))])


def first_two():
    serve = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
    return [next(iter(serve(tensorflow.ones((1, 64))).values())).numpy() for _ in range(2)]


before, after = first_two(), first_two()
differ = not numpy.array_equal(*before)
repeated = all(numpy.array_equal(*pair) for pair in zip(before, after))
print(f"two answers after a load differ: {differ}; another load repeats both: {repeated}")
assert differ and repeated, "the behaviour has changed"
END
