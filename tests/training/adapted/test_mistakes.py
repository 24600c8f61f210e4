import numpy as np
import pytest

from training.adapted.mistakes import at_most, never_labelled, still_contradicted

NAMES = ["zero", "one", "two"]


@pytest.mark.parametrize(
    ("wrong", "n", "is_too_many"), [(0, 10, False), (29, 400, False), (30, 400, True), (6, 40, True)]
)
def test_labels_that_a_candidate_still_contradicts_are_too_many_at_some_number(
    wrong: int, n: int, *, is_too_many: bool
) -> None:
    labels = np.zeros(n, int)
    said, listed = still_contradicted((np.arange(n) < wrong).astype(int), labels)
    assert listed == dict.fromkeys(range(wrong), 1)
    assert bool(said) == is_too_many
    assert all(each.startswith(f"it still contradicts {wrong} of the {n} labels that it learned from") for each in said)


@pytest.mark.parametrize(
    ("labelled", "n", "said"),
    [
        (0, 16, []),
        (0, 17, ["champion reads 17 labelled images as two, with confidence, and 0 labels say two: "]),
        (4, 41, []),
        (3, 50, ["champion reads 50 labelled images as two, with confidence, and 3 labels say two: "]),
        (40, 40, []),
    ],
)
def test_a_class_that_is_often_seen_must_be_among_the_labels(labelled: int, n: int, said: list[str]) -> None:
    seen = np.tile([0.0, 0.05, 0.95], (n, 1))
    labels = np.where(np.arange(n) < labelled, 2, 1)
    found, listed = never_labelled(seen, labels, NAMES, "champion")
    assert listed == (dict.fromkeys(range(labelled, n), 2) if said else {})
    assert [each[: len(begin)] for each, begin in zip(found, said, strict=True)] == said


def test_a_class_that_is_read_wrongly_each_time_but_labelled_elsewhere_is_no_mistake() -> None:
    seen = np.repeat([[0.0, 0.05, 0.95], [0.0, 0.95, 0.05]], 50, axis=0)
    assert never_labelled(seen, np.repeat([1, 2], 50), NAMES, "champion") == ([], {})


def test_what_is_seen_without_confidence_is_nobodys_mistake() -> None:
    assert never_labelled(np.tile([0.0, 0.2, 0.8], (100, 1)), np.ones(100, int), NAMES, "champion") == ([], {})


@pytest.mark.parametrize(
    ("count", "expected"), [(0, 0.8**5), (1, 0.8**5 + 5 * 0.2 * 0.8**4), (4, 1 - 0.2**5), (5, 1.0)]
)
def test_probability_of_at_most_so_many_cases(count: int, expected: float) -> None:
    assert at_most(count, 5, 0.2) == pytest.approx(expected, abs=1e-6)


def test_of_no_images_nothing_is_said_and_of_many_what_is_exact() -> None:
    assert at_most(0, 0, 0.2) == 1
    assert still_contradicted(np.zeros(0, int), np.zeros(0, int)) == ([], {})
    assert at_most(4000, 20_000, 0.2) == pytest.approx(0.504, abs=0.001)
