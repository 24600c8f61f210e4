#!/usr/bin/env bash
# tfrecord 1.14.6: images in a list of bytes come back without the black pixels at their end.
#
# A feature of several byte strings is read into an array of numpy's type S, which drops zero bytes at the end. A
# feature of one byte string is whole. Images of digits end in black rows.
# Seen: of two images of four pixels, one ends in two zeros, the other in one: two and three bytes come back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tfrecord==1.14.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import tempfile
from pathlib import Path

from tfrecord.reader import tfrecord_loader
from tfrecord.writer import TFRecordWriter

path = str(Path(tempfile.mkdtemp()) / "images.tfrecord")
writer = TFRecordWriter(path)
images = [bytes([0, 7, 0, 0]), bytes([0, 9, 9, 0])]
writer.write({"several": (images, "byte"), "one": (images[0], "byte")})
writer.close()
[read] = tfrecord_loader(path, None)
lengths = [len(image) for image in read["several"]]
print(f"bytes of each of several: {lengths}; of one alone: {len(read['one'])}")
assert lengths == [2, 3] and read["one"] == images[0], "the behaviour has changed"
END
