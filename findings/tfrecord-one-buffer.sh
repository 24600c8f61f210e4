#!/usr/bin/env bash
# tfrecord 1.14.6: records of `tfrecord_iterator` that are kept are all the last one.
#
# It yields views of one buffer that the next record overwrites; the documentation calls each a reference to the
# record's bytes. `list(…)`, a shuffle or a batch of them holds copies of one record, without an error. `bytes(record)`
# keeps it.
# Seen: of records 0, 1, 2 a list holds 2, 2, 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tfrecord==1.14.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import tempfile
from pathlib import Path

from tfrecord import example_pb2
from tfrecord.reader import tfrecord_iterator
from tfrecord.writer import TFRecordWriter

path = str(Path(tempfile.mkdtemp()) / "labels.tfrecord")
writer = TFRecordWriter(path)
for label in range(3):
    writer.write({"label": (label, "int")})
writer.close()


def label_of(record):
    return example_pb2.Example.FromString(bytes(record)).features.feature["label"].int64_list.value[0]


kept = [label_of(record) for record in list(tfrecord_iterator(path))]
one_by_one = [label_of(record) for record in tfrecord_iterator(path)]
print(f"kept in a list: {kept}; read one by one: {one_by_one}")
assert kept == [2, 2, 2] and one_by_one == [0, 1, 2], "the behaviour has changed"
END
