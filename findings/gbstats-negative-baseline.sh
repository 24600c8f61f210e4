#!/usr/bin/env bash
# gbstats 0.8.0: where the control's mean is negative, the better arm is called the worse one.
#
# Relative differences, the default, are divided by the mean itself, not by its size, so their sign turns over. Means of
# log-probabilities are negative. Absolute differences of the same figures are right; no message warns.
# Seen: mean log-probability from -0.2 to -0.1: chance to win 0.00 by relative differences, 1.00 by absolute ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: gbstats==0.8.0 numpy==1.26.4 pandas==1.5.3 scipy==1.13.1 setuptools==68.2.2
"$folder/venv/bin/python" - <<'END'
from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig
from gbstats.models.statistics import SampleMeanStatistic

control = SampleMeanStatistic(n=1000, sum=-200, sum_squares=200)
better = SampleMeanStatistic(n=1000, sum=-100, sum_squares=100)
results = {
    kind: EffectBayesianABTest(control, better, EffectBayesianConfig(difference_type=kind)).compute_result()
    for kind in ("relative", "absolute")
}
for kind, result in results.items():
    print(f"{kind}: {result.expected:+.2f}, chance to win {result.chance_to_win:.2f}, message {result.error_message}")
assert EffectBayesianConfig().difference_type == "relative", "the behaviour has changed"
assert results["relative"].chance_to_win < 1e-6 and results["relative"].error_message is None, "the behaviour has changed"
assert results["absolute"].chance_to_win > 1 - 1e-6, "the behaviour has changed"
END
