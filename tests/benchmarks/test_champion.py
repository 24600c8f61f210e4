"""The champion's benchmark adds its answers to the study's report."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks import champion
from training import data
from training.study.report import document as report
from training.variants import ChampionRecipe

RECIPE = ChampionRecipe(draws=1, passes=1, warm_up=5, average=0.5)


@pytest.mark.slow
def test_the_first_seeds_answers_join_the_studys_report(
    digits_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(champion, "BY_STROKES", 2)
    whole = data.load(digits_dir)
    images = dataclasses.replace(
        whole, train_images=whole.train_images[:500], train_labels=whole.train_labels[:500],
        test_images=whole.test_images[:40], test_labels=whole.test_labels[:40],
    )  # fmt: skip
    champion.measure(images, RECIPE, seeds=(2, 1), clothes=None, report=tmp_path)
    assert "1 with a flag " in capsys.readouterr().out
    with np.load(tmp_path / "models" / "champion.npz") as arrays:
        answers = champion.trained(images, RECIPE, seed=2)(images.test_images)
        np.testing.assert_array_equal(arrays["probabilities"], answers)
        np.testing.assert_array_equal(arrays["labels"], images.test_labels)
    report.write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Reliability of each model" in page
    assert "champion" in page
