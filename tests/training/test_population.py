from pathlib import Path

import numpy as np
import pytest

from training import data, population
from training.population import Member, Report, Trained
from training.stopping import Stop, Stopped
from training.variants import BLOG_POST, Recipe

pytestmark = pytest.mark.slow
RECIPE = Recipe(epochs=2, report_every=20)
DROPOUT = next(v for v in BLOG_POST if v.name == "dropout")


@pytest.fixture(scope="module")
def images(digits_dir: Path) -> data.ImageSet:
    return data.load(digits_dir)


def train(members: list[Member], images: data.ImageSet, recipe: Recipe = RECIPE) -> list[Trained]:
    return population.train(members, images, recipe, lambda *_: None, Stop())


def test_reports_come_every_so_many_steps_and_at_the_last() -> None:
    assert population.report_steps(Recipe(), 60_000) == [*range(0, 4501, 500), 4689]


def test_alone_or_among_others_a_member_is_the_same_bit_for_bit(images: data.ImageSet) -> None:
    members = [*(Member(v, 1) for v in BLOG_POST), Member(DROPOUT, 2)]
    for member, among in zip(members, train(members, images), strict=True):
        assert among.member == member
        (alone,) = train([member], images)
        assert alone.history == among.history
        for a, b in zip(alone.weights, among.weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_seeds_and_variants_make_a_difference(images: data.ImageSet) -> None:
    trained = train([Member(BLOG_POST[0], 1), Member(BLOG_POST[0], 2), Member(DROPOUT, 1)], images)
    first = [t.weights[0].tobytes() for t in trained]
    assert len(set(first)) == 3


def test_stages_of_any_length_give_the_same_member(images: data.ImageSet) -> None:
    (often,) = train([Member(DROPOUT, 1)], images, Recipe(epochs=2, report_every=7))
    (seldom,) = train([Member(DROPOUT, 1)], images, Recipe(epochs=2, report_every=1000))
    np.testing.assert_array_equal(often.weights[0], seldom.weights[0])


def test_members_learn(images: data.ImageSet) -> None:
    (trained,) = train([Member(BLOG_POST[0], 1)], images, Recipe(epochs=10, report_every=100))
    assert trained.history[-1].step == 239
    assert trained.history[-1].accuracy > 0.9


def test_a_loss_that_is_no_number_ends_the_run(images: data.ImageSet) -> None:
    with pytest.raises(population.Diverged, match="seed 1: the loss is not a number any more after step"):
        train(
            [Member(BLOG_POST[0], 1), Member(DROPOUT, 1)], images, Recipe(epochs=2, learning_rate=1e25, report_every=20)
        )


def test_members_stop_at_their_next_report(images: data.ImageSet) -> None:
    stop, seen = Stop(), []

    def on_report(member: Member, report: Report) -> None:
        seen.append(report.step)
        stop.ask()

    with pytest.raises(Stopped):
        population.train([Member(BLOG_POST[0], seed) for seed in range(10)], images, RECIPE, on_report, stop)
    assert set(seen) == {0}
