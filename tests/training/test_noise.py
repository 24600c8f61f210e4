import numpy as np
import pytest
import tensorflow as tf

from training import noise
from training.variants import KINDS, SCHEDULES, Noise

pytestmark = pytest.mark.slow
ROWS, UNITS = 2000, 101  # an odd number: half of the last pair of random bits is left over
SIZE = ROWS * UNITS

# Kind, strength, variance: (1 − rate)⁻¹ − 1; width² / 3; and of the clipped normal, as the paper gives it.
STATED = [
    ("bernoulli", 0.5, 1.0),
    ("bernoulli", 0.25, 1 / 3),
    ("bernoulli", 0.1, 1 / 9),
    ("uniform", 1.0, 1 / 3),
    ("uniform", 0.5, 1 / 12),
    ("gaussian", 0.2, 0.156),
    ("gaussian", 0.25, 0.230),
    ("gaussian", 0.32, 1 / 3),
]


def draw(kind: str, strength: float, seed: list[int]) -> np.ndarray:
    return noise.MASKS[kind](tf.constant(ROWS), UNITS, tf.constant(strength), tf.constant(seed)).numpy()


def test_every_kind_of_the_table_has_a_mask() -> None:
    assert set(noise.MASKS) == set(KINDS)


@pytest.mark.parametrize(("kind", "strength", "variance"), STATED)
def test_masks_have_mean_one_and_the_stated_variance(kind: str, strength: float, variance: float) -> None:
    mask = draw(kind, strength, [1, 2])
    assert mask.shape == (ROWS, UNITS)
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.mean() == pytest.approx(1, abs=4 * (variance / SIZE) ** 0.5)
    assert mask.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_without_strength_a_mask_changes_nothing(kind: str) -> None:
    np.testing.assert_allclose(draw(kind, 0.0, [1, 2]), 1, atol=1e-6)


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.5])
def test_bernoulli_drops_its_rate(rate: float) -> None:
    mask = draw("bernoulli", rate, [3, 4])
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1) / (np.float32(1) - np.float32(rate))}
    assert (mask == 0).mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / SIZE) ** 0.5)


@pytest.mark.parametrize(("kind", "strength"), [("bernoulli", 0.5), ("uniform", 1.0), ("gaussian", 0.32)])
def test_masks_are_independent_across_seeds_rows_and_units(kind: str, strength: float) -> None:
    mask = draw(kind, strength, [1, 2])
    pairs = [(mask, draw(kind, strength, seed)) for seed in ([1, 3], [2, 2])]
    pairs += [(mask[:, :-by], mask[:, by:]) for by in (1, 2)] + [(mask[:-1], mask[1:])]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / a.size**0.5
    np.testing.assert_array_equal(mask, draw(kind, strength, [1, 2]))


def test_the_two_normal_numbers_of_a_pair_are_independent_in_sign_and_size() -> None:
    mask, by = draw("gaussian", 0.32, [1, 2]), UNITS // 2 + 1
    for f in (np.sign, np.square):
        a, b = f(mask[:, :-by] - 1), f(mask[:, by:] - 1)
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / a.size**0.5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_loop_and_the_table_agree_on_the_strength(schedule: str) -> None:
    one = Noise("uniform", 0.7, schedule)
    for step in (0, 1, 500, 4690):
        assert noise.strength_at(tf.constant(one.numbers), tf.constant(step)).numpy() == pytest.approx(
            one.strength_at(step), abs=1e-6
        )
