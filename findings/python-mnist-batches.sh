#!/usr/bin/env bash
# python-mnist 0.7: `load_training_in_batches` ends with an empty batch, or with images that have no pixels.
#
# Where the size of a batch divides the number of images, as 100 divides 60,000, one more batch comes that has none.
# Where a batch is larger than the whole set, its images are padded with empty lists, and its labels are not. Neither is
# documented; a training loop divides by the batch's size or stacks images of unequal lengths.
# Seen: of 10 images in batches of 5, batches of 5, 5 and 0; in batches of 20, 20 images for 10 labels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: python-mnist==0.7
"$folder/venv/bin/python" - <<'END'
import struct
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore", SyntaxWarning)
from mnist import MNIST

folder = Path(tempfile.mkdtemp())
folder.joinpath("train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, 10, 2, 2) + bytes(40))
folder.joinpath("train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, 10) + bytes(10))
by_five = [len(images) for images, _ in MNIST(str(folder)).load_training_in_batches(5)]
images, labels = next(MNIST(str(folder)).load_training_in_batches(20))
without = sum(not len(image) for image in images)
print(f"batches of 5: {by_five}; of 20: {len(images)} images, {without} of them without pixels, {len(labels)} labels")
assert by_five == [5, 5, 0] and (len(images), without, len(labels)) == (20, 10, 10), "the behaviour has changed"
END
