#!/usr/bin/env bash
# gbstats 0.8.0: the interval of the one-sided "lesser" test does not hold the difference that was measured.
#
# Its upper end is the estimate minus the margin, where it has to be plus. A difference that is far from significant
# gets an interval that ends below the estimate; the p-value beside it is right.
# Seen: means of 1.0 and 1.1: relative difference 0.1, p 0.98, interval from minus infinity to 0.023.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: gbstats==0.8.0 numpy==1.26.4 pandas==1.5.3 scipy==1.13.1 setuptools==68.2.2
"$folder/venv/bin/python" - <<'END'
from gbstats.frequentist.tests import OneSidedTreatmentLesserTTest
from gbstats.models.statistics import SampleMeanStatistic

control = SampleMeanStatistic(n=1000, sum=1000, sum_squares=2000)
treatment = SampleMeanStatistic(n=1000, sum=1100, sum_squares=2200)
result = OneSidedTreatmentLesserTTest(control, treatment).compute_result()
low, high = map(float, result.ci)
print(f"difference {result.expected:.3f}, p {result.p_value:.3f}, interval {low} to {high:.3f}")
assert low == float("-inf") and round(high, 3) == 0.023 < result.expected, "the behaviour has changed"
assert result.p_value > 0.5, "the behaviour has changed"
END
