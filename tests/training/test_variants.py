from dataclasses import replace

import pytest

from training.variants import (
    ADAPTED,
    DEFAULT,
    VARIANTS,
    AdaptRecipe,
    ChampionRecipe,
    Noise,
    Recipe,
    Variant,
    candidate,
    select,
)


def test_the_recipe_is_the_posts() -> None:
    assert Recipe().steps(60_000) == 4690


def test_select_keeps_the_tables_order() -> None:
    assert [v.name for v in select(["l2", "plain"])] == ["plain", "l2"]


def test_select_names_what_there_is() -> None:
    with pytest.raises(ValueError, match="no variant foo; there are plain, dropout, l2, dropout_l2"):
        select(["foo", "l2"])


def test_the_default_is_in_the_table() -> None:
    assert DEFAULT in {v.name for v in VARIANTS}


@pytest.mark.parametrize(
    ("noise", "start", "later"),
    [("constant", 0.5, 0.5), ("falling", 0.5, 0.5 * 0.36788), ("rising", 0.0, 0.5 * 0.63212)],
)
def test_schedules_change_the_strength(noise: str, start: float, later: float) -> None:
    assert Noise("bernoulli", 0.5, noise).strength_at(0) == start
    assert Noise("bernoulli", 0.5, noise).strength_at(1000) == pytest.approx(later, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("binomial", 0.5), "no noise 'binomial'; there is bernoulli, uniform, gaussian"),
        (("uniform", 0.5, "sideways"), "no schedule 'sideways'; there is constant, falling, rising"),
        (("bernoulli", 1.0), "noise of strength 1; it must be from 0 to below 1, or 1 if uniform"),
        (("uniform", 1.1), "noise of strength 1.1; it must be from 0 to below 1, or 1 if uniform"),
    ],
)
def test_noise_that_cannot_be_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Noise(*arguments)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"learning_rate_schedule": "linear"}, "no learning rate schedule 'linear'; there is constant, cosine"),
        ({"weight_decay": -0.1}, "weight_decay of -0.1; it must be a number from 0"),
        ({"l2": float("nan")}, "l2 of nan; it must be a number from 0"),
        ({"l2": 1e-4, "recipe": ChampionRecipe()}, "noise or l2 of one; ChampionRecipe trains without either"),
        ({"noise": Noise("bernoulli", 0.2), "recipe": AdaptRecipe()}, "noise or l2 of one; AdaptRecipe trains without"),
    ],
)
def test_a_variant_that_cannot_be_is_refused(columns: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Variant("one", "One", **columns)


def test_a_candidate_may_have_another_name() -> None:
    assert candidate("adapted_2") == replace(ADAPTED, name="adapted_2")


@pytest.mark.parametrize("name", ["l2", "champion", "../x", ""])
def test_a_candidate_replaces_no_other_variant(name: str) -> None:
    with pytest.raises(ValueError, match=f"no candidate can be called '{name}'; use a-z"):
        candidate(name)
