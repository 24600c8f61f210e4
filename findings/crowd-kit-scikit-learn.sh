#!/usr/bin/env bash
# crowd-kit 1.4.2 with scikit-learn 1.9.1: `Wawa` and `ZeroBasedSkill` cannot predict.
#
# Their classes lack a base class that scikit-learn asks for, and an ordinary installation has both packages.
# `MajorityVote` and `DawidSkene` work.
# Seen: `fit_predict` of three workers' labels ends in an AttributeError about `__sklearn_tags__`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: crowd-kit==1.4.2 scikit-learn==1.9.1 numpy==2.4.6 pandas==3.1.1
"$folder/venv/bin/python" - <<'END'
import pandas
from crowdkit.aggregation import DawidSkene, MajorityVote, Wawa, ZeroBasedSkill

rows = [(worker, task, task % 3) for worker in "abc" for task in range(9)]
labels = pandas.DataFrame(rows, columns=["worker", "task", "label"])
failed = []
for aggregation in (MajorityVote, DawidSkene, Wawa, ZeroBasedSkill):
    try:
        aggregation().fit_predict(labels)
    except AttributeError as error:
        assert "__sklearn_tags__" in str(error), error
        failed.append(aggregation.__name__)
print("without an answer:", ", ".join(failed))
assert failed == ["Wawa", "ZeroBasedSkill"], "the behaviour has changed"
END
