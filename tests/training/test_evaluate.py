import numpy as np
import pytest

from training.evaluate import (
    accuracy,
    best_temperature,
    brier,
    calibration_error,
    cross_entropy,
    reliability,
    selective_accuracy,
)

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.35, 0.65]], np.float32)
LABELS = np.array([0, 1, 1, 1], np.uint8)


def test_accuracy() -> None:
    assert accuracy(PROBABILITIES, LABELS) == 0.75


def test_cross_entropy() -> None:
    assert cross_entropy(PROBABILITIES, LABELS) == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.65]).mean())


def test_cross_entropy_of_an_impossible_label_is_finite() -> None:
    assert np.isfinite(cross_entropy(np.array([[1.0, 0.0]]), np.array([1])))


def test_calibration_error_weighs_each_bins_gap() -> None:
    # With two bins all four confidences, .9 .6 .7 .65, share the upper one: |3/4 − mean| = 0.0375.
    assert calibration_error(PROBABILITIES, LABELS, bins=2) == pytest.approx(0.0375)
    # With ten, .6 and .65 share one: (|1 − .9| + |1 − (.6 + .65)| + |1 − .7|) / 4.
    assert calibration_error(PROBABILITIES, LABELS, bins=10) == pytest.approx((0.1 + 0.25 + 0.3) / 4)


def test_certainty_falls_into_the_last_bin() -> None:
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


def test_brier() -> None:
    assert brier(PROBABILITIES, LABELS) == pytest.approx(2 * np.square([0.1, 0.6, 0.3, 0.35]).mean())


def test_reliability_counts_what_falls_into_each_bin() -> None:
    confidences, right = np.array([0.1, 0.9, 0.8, 1.0]), np.array([True, True, False, True])
    diagram = reliability(confidences, right, bins=2)
    assert diagram.counts.tolist() == [1, 3]
    assert diagram.confidences == pytest.approx([0.1, 0.9])
    assert diagram.accuracies == pytest.approx([1.0, 2 / 3])


def test_an_empty_bin_has_no_accuracy() -> None:
    diagram = reliability(np.array([0.9]), np.array([True]), bins=2)
    assert np.isnan([diagram.accuracies[0], diagram.confidences[0]]).all()


def test_selective_accuracy_answers_the_surest_first() -> None:
    confidences, right = np.array([0.5, 0.9, 0.7, 0.8]), np.array([False, True, False, True])
    accuracies = selective_accuracy(confidences, right, np.array([0.25, 0.5, 0.75, 1.0]))
    assert accuracies == pytest.approx([1.0, 1.0, 2 / 3, 0.5])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.slow
def test_the_best_temperature_undoes_one_that_was_applied(temperature: float) -> None:
    rng = np.random.default_rng(0)
    honest = rng.dirichlet(np.full(4, 0.5), 5000)
    labels = (honest.cumsum(axis=1) > rng.random((len(honest), 1))).argmax(axis=1)
    said = honest ** (1 / temperature)
    said /= said.sum(axis=1, keepdims=True)
    assert best_temperature(said, labels) == pytest.approx(1 / temperature, rel=0.03)


def test_certainty_has_a_best_temperature_too() -> None:
    said = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert best_temperature(said, np.array([0, 0, 1])) == 0.25
    assert best_temperature(said, np.array([0, 1, 1])) == pytest.approx(4.0)
