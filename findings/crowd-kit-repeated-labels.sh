#!/usr/bin/env bash
# crowd-kit 1.4.2: `MajorityVote` and `DawidSkene` count rows, not workers.
#
# A worker who labels a task again, by a double click or to correct a slip, has two votes. Keep each one's last label
# first: `drop_duplicates(["worker", "task"], keep="last")`.
# Seen: five rows of one worker outvote two workers of another opinion.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: crowd-kit==1.4.2 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
"$folder/venv/bin/python" - <<'END'
import pandas
from crowdkit.aggregation import DawidSkene, MajorityVote

rows = [("one", "image", 1)] * 5 + [("two", "image", 2), ("three", "image", 2)]
labels = pandas.DataFrame(rows, columns=["worker", "task", "label"])
once = labels.drop_duplicates(["worker", "task"], keep="last")
found = {each.__name__: (each().fit_predict(labels)["image"], each().fit_predict(once)["image"])
         for each in (MajorityVote, DawidSkene)}
print(f"with repeats, and without: { {name: tuple(map(int, pair)) for name, pair in found.items()} }")
assert set(found.values()) == {(1, 2)}, "the behaviour has changed"
END
