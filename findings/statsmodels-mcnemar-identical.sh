#!/usr/bin/env bash
# statsmodels 0.15.0: McNemar's approximate test says p = 0 of two classifiers that never disagree.
#
# With no discordant pair the statistic is 1 / 0, by the continuity correction, hence infinite, with a RuntimeWarning
# that scripts seldom stop at. The exact test, the default, says p = 1.
# Seen: 15 images, the same answers: p 0.0 with exact=False, 1.0 with exact=True.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1
"$folder/venv/bin/python" - <<'END'
import warnings

from statsmodels.stats.contingency_tables import mcnemar

equal = [[10, 0], [0, 5]]  # both right, both wrong; no image that one alone reads
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    approximate, exact = mcnemar(equal, exact=False), mcnemar(equal)
print(f"p of equal answers: {approximate.pvalue} approximately, {exact.pvalue} exactly; {warned[0].message}")
assert (approximate.pvalue, exact.pvalue) == (0.0, 1.0), "the behaviour has changed"
END
