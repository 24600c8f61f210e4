import numpy as np
import pytest

from training.adapted.gate import Right, interval, judge

UNITS = np.repeat(np.arange(10), 10)


def right(share: float, n: int = 100) -> np.ndarray:
    return np.arange(n) < share * n


@pytest.mark.parametrize(
    ("held_out", "test", "failures"),
    [
        (0.8, 0.990, []),
        (0.8, 0.987, []),
        (0.8, 0.986, ["on the test images its accuracy is 0.9860, and champion's is 0.9900: it may lose 0.003"]),
        (0.7, 0.990, ["on 100 labelled images of units that it did not learn from, its accuracy is 0.7000, and"]),
        (0.6, 0.900, ["on 100 labelled images", "on the test images"]),
    ],
)
def test_a_candidate_must_be_better_there_and_not_worse_here(held_out: float, test: float, failures: list[str]) -> None:
    base = Right(right(0.7), right(0.99, 1000))
    judgement = judge(Right(right(held_out), right(test, 1000)), base, UNITS, "champion")
    assert len(judgement.failures) == len(failures)
    for said, expected in zip(judgement.failures, failures, strict=True):
        assert said.startswith(expected)
    assert judgement.figures["held_out"]["units"] == 10


def test_images_of_one_unit_are_alike_so_the_interval_is_wider() -> None:
    net = np.repeat([1, 1, 1, 1, 0, 0, 0, 0, 0, -1], 10)
    of_units, of_images = interval(net, UNITS), interval(net, np.arange(100))
    assert of_units is not None
    assert of_images is not None
    assert of_units[0] < of_images[0] < 0.3 < of_images[1] < of_units[1]


def test_one_unit_has_no_interval() -> None:
    assert interval(np.ones(3), np.zeros(3)) is None
