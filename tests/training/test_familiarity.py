import numpy as np
import pytest
import tensorflow as tf

from testing.digits import write_set
from training import data
from training.familiarity import Familiarity, clusters_of, familiarity, familiarity_of

pytestmark = pytest.mark.slow
CLASSES = 10


def sure(labels: np.ndarray, of: float = 0.99) -> np.ndarray:
    """Return probabilities, `of` of each label's."""
    found = np.full((len(labels), CLASSES), (1 - of) / (CLASSES - 1), np.float32)
    found[np.arange(len(labels)), labels] = of
    return found


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> data.ImageSet:
    folder = tmp_path_factory.mktemp("digits")
    write_set(folder, train=1200, test=200)
    return data.load(folder)


@pytest.fixture(scope="module")
def familiar(images: data.ImageSet) -> Familiarity:
    clusters = clusters_of(images.train_images, images.train_labels, CLASSES)
    labels = images.train_labels[-len(images.train_labels) // 12 :]
    return familiarity_of(clusters, images.train_images, lambda some: sure(labels[-len(some) :]))


def score(familiar: Familiarity, some: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return familiarity(familiar, tf.constant(some), tf.constant(probabilities)).numpy()


def test_half_of_images_like_the_training_sets_are_above_a_half(familiar: Familiarity, images: data.ImageSet) -> None:
    found = score(familiar, images.test_images, sure(images.test_labels))
    assert found.min() >= 0
    assert found.max() <= 1
    assert 0.3 < np.mean(found > 0.5) < 0.7


def test_wrong_and_doubtful_answers_and_other_images_are_less_familiar(
    familiar: Familiarity, images: data.ImageSet
) -> None:
    some, labels = images.test_images, images.test_labels
    right = score(familiar, some, sure(labels))
    assert score(familiar, some, sure((labels + 1) % CLASSES)).mean() < right.mean() / 4
    assert score(familiar, some, sure(labels, 0.5)).mean() < 0.7 * right.mean()
    noise = np.random.default_rng(0).integers(0, 256, some.shape, np.uint8)
    assert score(familiar, noise, sure(labels)).max() == 0


def test_small_sets_and_classes_without_images_have_a_familiarity(images: data.ImageSet) -> None:
    for count in (1, 3):
        few = images.train_images[:count]
        clusters = clusters_of(few, images.train_labels[:count], CLASSES)
        found = familiarity_of(clusters, few, lambda some: sure(np.zeros(len(some), int)))
        assert np.isfinite(score(found, few, sure(images.train_labels[:count]))).all()
