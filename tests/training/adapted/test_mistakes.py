import numpy as np
import pytest

from training.adapted.mistakes import at_most, refused, unconfirmed

NAMES = ["zero", "one", "two"]


@pytest.mark.parametrize(
    ("wrong", "n", "is_refused"), [(0, 10, False), (14, 400, False), (15, 400, True), (4, 40, True)]
)
def test_labels_that_a_candidate_still_contradicts_are_too_many_at_some_number(
    wrong: int, n: int, *, is_refused: bool
) -> None:
    labels = np.zeros(n, int)
    said = refused((np.arange(n) < wrong).astype(int), labels)
    assert bool(said) == is_refused
    assert all(each.startswith(f"it still contradicts {wrong} of the {n} labels that it learned from") for each in said)


@pytest.mark.parametrize(
    ("confirmed", "n", "said"),
    [
        (0, 16, []),
        (0, 17, ["champion reads 17 labelled images as two, with confidence, and 0 labels say so: "]),
        (4, 41, []),
        (3, 50, ["champion reads 50 labelled images as two, with confidence, and 3 labels say so: "]),
        (40, 40, []),
    ],
)
def test_labels_must_confirm_each_class_that_is_often_seen(confirmed: int, n: int, said: list[str]) -> None:
    seen = np.tile([0.0, 0.05, 0.95], (n, 1))
    labels = np.where(np.arange(n) < confirmed, 2, 1)
    found = unconfirmed(seen, labels, NAMES, "champion")
    assert [each[: len(begin)] for each, begin in zip(found, said, strict=True)] == said


def test_what_is_seen_without_confidence_is_nobodys_mistake() -> None:
    assert unconfirmed(np.tile([0.0, 0.2, 0.8], (100, 1)), np.ones(100, int), NAMES, "champion") == []


@pytest.mark.parametrize(
    ("count", "expected"), [(0, 0.8**5), (1, 0.8**5 + 5 * 0.2 * 0.8**4), (4, 1 - 0.2**5), (5, 1.0)]
)
def test_probability_of_at_most_so_many_cases(count: int, expected: float) -> None:
    assert at_most(count, 5, 0.2) == pytest.approx(expected, abs=1e-6)
