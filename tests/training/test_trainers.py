import numpy as np
import pytest

from training.arguments import OPTIONS, parser, with_options
from training.data import ImageSet
from training.population import Member, ignore
from training.stopping import Stop
from training.trainers import TRAINERS, trainer_of
from training.variants import ADAPTED, VARIANTS, ChampionRecipe, Recipe, Variant

SMALL: dict[type, Recipe | ChampionRecipe] = {
    Recipe: Recipe(batch=8, epochs=1),
    ChampionRecipe: ChampionRecipe(batch=8, draws=1, passes=1, warm_up=1),
}


def test_every_variant_has_a_trainer_and_options() -> None:
    kinds = {type(variant.recipe) for variant in VARIANTS}
    assert kinds <= set(TRAINERS) and kinds <= set(OPTIONS)
    assert type(ADAPTED.recipe) in TRAINERS


def test_the_adapted_variant_says_where_its_labels_come_from() -> None:
    images, labels = np.zeros((24, 28, 28), np.uint8), np.zeros(24, np.uint8)
    data, recipe = ImageSet("made up", images, labels, images, labels), ADAPTED.recipe
    with pytest.raises(ValueError, match="variant adapted learns from labels: run make improve"):
        trainer_of(recipe).train([Member(ADAPTED, 1)], data, recipe, ignore, Stop(), ignore)


@pytest.mark.parametrize("kind", list(SMALL))
def test_a_variant_needs_no_more_than_its_recipe(kind: type) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (24, 28, 28), np.uint8), np.arange(24, dtype=np.uint8) % 10
    data = ImageSet("made up", images, labels, images, labels)
    variants = [Variant(name, name.title(), weight_decay=0.01, recipe=SMALL[kind]) for name in ("one", "two")]
    done: dict[str, int] = {}
    trained = trainer_of(SMALL[kind]).train(
        [Member(variant, 1) for variant in variants], data, SMALL[kind], lambda *_: None, Stop(),
        lambda member, steps: done.update({member.variant.name: steps}),
    )  # fmt: skip
    steps = SMALL[kind].steps(SMALL[kind].learned_from(24))
    assert [t.member.variant.name for t in trained] == ["one", "two"]
    assert done == {"one": steps, "two": steps}
    assert all(np.isfinite(weights).all() for t in trained for weights in t.weights)


def test_an_option_changes_the_recipes_that_have_it() -> None:
    arguments = parser().parse_args(["train", "--epochs=2", "--learning-rate=0.5", "--draws=3"])
    plain, champion = (with_options(variant, arguments).recipe for variant in (VARIANTS[0], VARIANTS[-1]))
    assert plain == Recipe(epochs=2, learning_rate=0.5)
    assert champion == ChampionRecipe(draws=3)
