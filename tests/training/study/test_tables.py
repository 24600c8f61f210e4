from pathlib import Path

import pytest

from tests.training.study.results import LABELS, made_up
from training import files
from training.study import tables
from training.study.report import reading


def test_figures_are_those_of_the_last_step() -> None:
    figures = tables.figures(made_up("plain", 1, 8), LABELS)
    assert list(figures) == list(tables.COLUMNS)
    assert figures["test_accuracy"] == 0.92
    assert figures["accuracy_gap"] == pytest.approx(0.07)
    assert figures["loss_gap"] == pytest.approx(0.158)
    assert (figures["steps_to_90"], figures["steps_to_95"]) == (500, 500)
    assert figures["steps_to_97"] != figures["steps_to_97"]


def test_tables_are_the_same_in_whatever_order_members_come(tmp_path: Path) -> None:
    results = [made_up(arm, seed, wrong=seed) for arm in ("b", "a") for seed in (2, 10, 1)]
    for name, some in (("one", results), ("other", results[::-1])):
        (tmp_path / name).mkdir()
        tables.write(tmp_path / name, some, LABELS)
    for file in ("results.csv", "curves.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    rows = (tmp_path / "one" / "results.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [[arm, seed] for arm in "ab" for seed in ("1", "2", "10")]


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    tables.write(tmp_path, [made_up("a", seed, wrong=8) for seed in (1, 2)], LABELS)
    files.write(tmp_path / "statistics.json", '{"arms": {"a": {"title": "Arm A"}}}')
    read = reading.read(tmp_path)
    assert read.title("a") == "Arm A"
    assert read.results["a"]["test_accuracy"].tolist() == [0.92, 0.92]
    assert read.curves["a"]["test_accuracy"].tolist() == [[0.5, 0.95, 0.92]] * 2
    assert read.timings is None
