import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from training import data, network
from training.champion import train
from training.loop import Settings, State
from training.population import Diverged, Member, Report, Trained
from training.stopping import Stop, Stopped
from training.variants import CHAMPION, ChampionRecipe

pytestmark = pytest.mark.slow
RECIPE = ChampionRecipe(draws=3, passes=2, report_every=2, warm_up=20)


@pytest.fixture(scope="module")
def images(digits_dir: Path) -> data.ImageSet:
    return data.load(digits_dir)


def run(images: data.ImageSet, recipe: ChampionRecipe = RECIPE, seed: int = 1) -> tuple[Trained, list[Report]]:
    reports: list[Report] = []
    trained = train.train_member(Member(CHAMPION, seed), images, recipe, lambda _, r: reports.append(r), Stop())
    return trained, reports


@pytest.fixture(scope="module")
def trained(images: data.ImageSet) -> tuple[Trained, list[Report]]:
    return run(images)


def test_a_seed_decides_the_champion_bit_for_bit(trained: tuple[Trained, list[Report]], images: data.ImageSet) -> None:
    again, other = run(images)[0], run(images, seed=2)[0]
    for a, b in zip(trained[0].weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (other.weights[0] != again.weights[0]).any()


def test_it_reports_when_it_said_it_would(trained: tuple[Trained, list[Report]], images: data.ImageSet) -> None:
    steps = train.report_steps(RECIPE, len(images.train_images))
    assert [r.step for r in trained[1]] == steps
    assert trained[0].history == trained[1]
    assert steps == [2 * 2 * 11 - 1, 3 * 2 * 11 - 1]  # 2,750 images to learn from, 256 a step


def test_it_learns(images: data.ImageSet) -> None:
    trained, _ = run(images, ChampionRecipe(draws=4, warm_up=20, average=0.9))
    assert trained.history[-1].accuracy > 0.9


def test_a_share_of_the_ones_is_learned_with_flags(images: data.ImageSet) -> None:
    drawn = images.train_images.copy()
    drawn[images.train_labels == 1] = np.pad(np.full((20, 3), 255, np.uint8), [(4, 4), (12, 13)])
    lines = dataclasses.replace(images, train_images=drawn)
    plain, flagged = (
        run(lines, ChampionRecipe(draws=1, passes=1, warm_up=5, flagged=share))[0].weights[0] for share in (0.0, 0.3)
    )
    assert (plain != flagged).any()


def test_the_images_held_out_make_no_difference(trained: tuple[Trained, list[Report]], images: data.ImageSet) -> None:
    changed = images.train_images.copy()
    changed[RECIPE.learned_from(len(changed)) :] = 0
    other = data.ImageSet("other", changed, images.train_labels, images.test_images, images.test_labels)
    np.testing.assert_array_equal(run(other)[0].weights[0], trained[0].weights[0])


def test_a_short_run_on_few_images_learns(images: data.ImageSet) -> None:
    """The averages of all 24 steps would have 98 % of the first weights, and the rate a twentieth of its height."""
    trained, _ = run(images, ChampionRecipe(draws=2))
    assert trained.history[-1].accuracy > 0.5


def test_averages_follow_the_weights_by_their_share() -> None:
    recipe = ChampionRecipe(batch=8, draws=100, passes=1, average=0.75, warm_up=1)
    state = State.of([v.value for v in network.build(784, 10, 0.0, seed=1).trainable_variables])
    before = state.weights[0].numpy()
    averages = [tf.Variable(w) for w in state.weights]
    x = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    learn = train.compile_learning(recipe, 8)
    learn(state, averages, x, tf.range(8), tf.constant(0), tf.constant(1), Settings.of(CHAMPION, 1, recipe, 8))
    np.testing.assert_allclose(averages[0], before + 0.25 * (state.weights[0].numpy() - before), atol=1e-7)
    assert np.abs(state.weights[0].numpy() - before).max() > 1e-4


@pytest.mark.parametrize(("schedule", "moves_at_the_end"), [("cosine", False), ("constant", True)])
def test_the_rate_rises_and_then_follows_the_variants_schedule(schedule: str, moves_at_the_end: bool) -> None:
    recipe = ChampionRecipe(batch=8, draws=400, passes=1, warm_up=20)
    variant = dataclasses.replace(CHAMPION, weight_decay=0.0, learning_rate_schedule=schedule)
    learn, settings = train.compile_learning(recipe, 8), Settings.of(variant, 1, recipe, 8)
    x = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)

    def moved(step: int) -> float:
        state = State.of([v.value for v in network.build(784, 10, 0.0, seed=1).trainable_variables])
        before = state.weights[0].numpy()
        averages = [tf.Variable(w) for w in state.weights]
        learn(state, averages, x, tf.range(8), tf.constant(step), tf.constant(step + 1), settings)
        return float(np.abs(state.weights[0].numpy() - before).max())

    assert moved(0) == pytest.approx(recipe.learning_rate / recipe.warm_up, rel=0.01)  # Adam's first step is the rate
    assert (moved(399) > 0) == moves_at_the_end


def test_a_loss_that_is_no_number_ends_it(images: data.ImageSet) -> None:
    with pytest.raises(Diverged, match="champion, seed 1: the loss is not a number any more in draw"):
        run(images, ChampionRecipe(draws=2, learning_rate=1e30, warm_up=1))


def test_it_stops_when_it_is_asked_to(images: data.ImageSet) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        train.train([Member(CHAMPION, 1)], images, RECIPE, lambda *_: None, stop)
