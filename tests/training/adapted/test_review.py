import numpy as np

from training.adapted.review import contradicted


def said(*answers: tuple[int, float]) -> np.ndarray:
    """Return the probabilities of a variant that gives each image a class with a confidence."""
    return np.stack([np.where(np.arange(3) == label, sure, (1 - sure) / 2) for label, sure in answers])


def test_a_label_is_doubtful_where_a_confident_majority_sees_another_class() -> None:
    first = said((1, 0.99), (1, 0.99), (1, 0.8), (0, 0.99))
    second = said((1, 0.95), (2, 0.99), (1, 0.9), (0, 0.99))
    third = said((2, 0.99), (0, 0.99), (1, 0.9), (0, 0.99))
    assert contradicted([first, second, third], np.array([0, 0, 0, 0])) == {0: 1}
