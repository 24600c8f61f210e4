import numpy as np
import pytest

from training.study.analysis.comparisons import CLAIMS, REGULARISERS
from training.study.suites import convolution_suite
from training.study.suites.arms import QUICK, SEEDS, arms, matched
from training.study.suites.convolution import cells
from training.variants import Noise, Variant

STEPS = 4690  # of ten epochs of MNIST
BY_NAME = {arm.variant.name: arm for arm in arms(STEPS)}


def noise(arm: str) -> Noise:
    found = BY_NAME[arm].variant.noise
    assert found
    return found


def test_arms_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(arms(STEPS))
    assert set(QUICK) <= BY_NAME.keys()


def test_the_seeds_four_have_the_most_seeds() -> None:
    assert [a.variant.name for a in arms(STEPS) if a.seeds == SEEDS] == ["plain", "dropout", "l2", "dropout_l2"]


@pytest.mark.parametrize("suffix", ["", "_cosine"])
@pytest.mark.parametrize("schedule", ["falling", "rising"])
def test_constant_noise_has_the_schedules_mean_variance(schedule: str, suffix: str) -> None:
    rates = np.array([noise(schedule + suffix).strength_at(step) for step in range(STEPS)])
    rate = noise(f"as_{schedule}{suffix}").strength
    assert rate / (1 - rate) == pytest.approx(np.mean(rates / (1 - rates)))


def test_constant_noise_is_matched_by_itself() -> None:
    assert matched(Noise("bernoulli", 0.3), STEPS).strength == pytest.approx(0.3)


def test_constant_noise_is_matched_over_the_steps_that_are_trained() -> None:
    falling = Noise("bernoulli", 0.5, "falling")
    assert matched(falling, 1).strength == pytest.approx(0.5)
    assert matched(falling, 1407).strength > matched(falling, STEPS).strength + 0.1


def test_a_cosine_arm_differs_in_the_learning_rate_alone() -> None:
    for name in ("plain", "dropout", "falling", "as_rising"):
        plain, cosine = (vars(BY_NAME[n].variant) for n in (name, f"{name}_cosine"))
        differing = {key for key in plain if plain[key] != cosine[key]} - {"name", "title", "published_accuracy"}
        assert differing == {"learning_rate_schedule"}


@pytest.mark.parametrize(
    ("arm", "l2", "decay"), [("l2_1e6", 1e-6, 0.0), ("l2_1e3", 1e-3, 0.0), ("decay_1e2", 0.0, 0.01)]
)
def test_penalties_are_what_their_names_say(arm: str, l2: float, decay: float) -> None:
    variant: Variant = BY_NAME[arm].variant
    assert (variant.l2, variant.weight_decay) == pytest.approx((l2, decay))


@pytest.mark.parametrize(
    ("comparisons", "names"),
    [(REGULARISERS, set(BY_NAME)), (convolution_suite.comparisons(), {cell.name for cell in cells()})],
)
def test_only_arms_that_there_are_get_compared(comparisons, names) -> None:
    assert [c for c in comparisons if not {c.a, c.b} <= names] == []
    assert len(set(comparisons)) == len(comparisons)


def test_every_claim_is_put_to_the_test() -> None:
    tested = {c.claim for c in (*REGULARISERS, *convolution_suite.comparisons()) if c.claimed}
    assert tested == CLAIMS.keys()
