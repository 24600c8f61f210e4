import numpy as np
import pytest
import tensorflow as tf

from training import noise

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_bernoulli_drops_its_rate_and_keeps_the_mean(rate: float) -> None:
    mask = noise.bernoulli([1000, 100], rate, [1, 2]).numpy()
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1) / np.float32(1 - rate)}
    assert (mask == 0).mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / mask.size) ** 0.5)


@pytest.mark.parametrize("other", [[1, 3], [2, 2]])
def test_masks_of_other_seeds_are_independent(other: list[int]) -> None:
    a, b = noise.bernoulli([1000, 100], 0.5, [1, 2]), noise.bernoulli([1000, 100], 0.5, other)
    assert abs(np.corrcoef(tf.reshape(a, [-1]), tf.reshape(b, [-1]))[0, 1]) < 4 / 100_000**0.5
    np.testing.assert_array_equal(a, noise.bernoulli([1000, 100], 0.5, [1, 2]))
