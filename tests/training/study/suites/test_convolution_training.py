from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from training import data, population
from training.stopping import Stop, Stopped
from training.study.suites import convolution, convolution_training
from training.study.suites.convolution import Cell
from training.study.suites.convolution_training import Amount, train

pytestmark = pytest.mark.slow
AMOUNT = Amount(batch=32, epochs=2)


@pytest.fixture(scope="module")
def images(digits_dir: Path) -> data.ImageSet:
    return data.load(digits_dir)


def test_a_model_learns_and_is_the_same_alone_or_beside_another(images: data.ImageSet) -> None:
    cells = [Cell("between_convolutions", False, True), Cell("input", True, True)]
    together = population.on_every_core(lambda cell: train(cell, 1, images, AMOUNT, Stop()), cells, Stop())
    alone = train(cells[0], 1, images, AMOUNT, Stop())
    np.testing.assert_array_equal(together[0].confidences, alone.confidences)
    assert alone.test_loss == together[0].test_loss != together[1].test_loss
    assert alone.curve.step.tolist() == [62, 125]
    assert alone.curve.test_accuracy[-1] > 0.7


def test_dropout_and_batch_norm_move_on_from_step_to_step(images: data.ImageSet) -> None:
    model = convolution.build(Cell("input", True, True), 10, seed=1)
    before = [np.asarray(v) for v in model.non_trainable_variables]
    advance, _ = convolution_training.compile_training(
        model, images.train_images[:100], images.train_labels[:100], 1, 10, "moves_on"
    )
    advance(tf.constant(0), tf.constant(2))
    after = [np.asarray(v) for v in model.non_trainable_variables]
    assert len(before) == 5  # two means and two variances of batch norm, and the state of dropout's generator
    assert [np.array_equal(*pair) for pair in zip(before, after, strict=True)] == [False] * 5


def test_small_training_sets_are_drawn_by_the_seed() -> None:
    small = Cell("none", False, True)
    one, again, other = (convolution_training.training_images(small, seed, 5000) for seed in (1, 1, 2))
    assert len(set(one)) == 2000
    assert (one == again).all() and (one != other).any()
    assert convolution_training.training_images(Cell("none", False, False), 1, 5000).tolist() == list(range(5000))


def test_training_stops_when_it_is_asked_to(images: data.ImageSet) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        train(Cell("none", False, True), 1, images, AMOUNT, stop)
