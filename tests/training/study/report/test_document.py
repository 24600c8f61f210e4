import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.study.results import LABELS, made_up
from training import files
from training.study import tables
from training.study.analysis import summary
from training.study.analysis.comparisons import REGULARISERS
from training.study.report import document as report
from training.study.run import Job, Suite
from training.study.suites import convolution_suite

ABOUT: dict[str, dict[str, Any]] = {
    "regularisers": {"recipe": {"batch": 128, "epochs": 10, "learning_rate": 0.01}, "steps": 1000, "data": "mnist",
                     "train": 100, "test": 100},
    "convolution": {"small": {"batch": 32, "epochs": 10}, "all": {"batch": 64, "epochs": 2}, "epochs": None,
                    "learning_rate": 0.001, "rate": 0.25, "train": 100},
}  # fmt: skip
TIMINGS = (
    '{"cores": 2, "steps_a_round": 9, "ms_per_step_and_member": {"plain": {"median": 1.25, "rounds": [1.25]}, '
    '"dropout": {"median": 1.5, "rounds": [1.5]}}}'
)


def no_trainer(_: object) -> Any:
    raise AssertionError("nothing is to be trained here")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder with the tables of both suites, made up, and a further model."""
    top = tmp_path_factory.mktemp("study")
    arms = {"regularisers": ("plain", "dropout"), "convolution": ("small_none", "small_input")}
    compared = {"regularisers": REGULARISERS, "convolution": convolution_suite.comparisons()}
    for name, of_suite in arms.items():
        folder = top / name
        folder.mkdir()
        results = [made_up(arm, seed, wrong=10 * i + seed) for i, arm in enumerate(of_suite) for seed in (1, 2, 3)]
        jobs = [Job(r.arm, r.seed, "0") for r in results]
        titles = {arm: f"<{arm}>" for arm in of_suite}
        suite = Suite(name, titles, jobs, compared[name], LABELS, ABOUT[name], no_trainer)
        tables.write(folder, results, LABELS)
        files.write(folder / "statistics.json", summary.text(summary.document(suite, results)))
    (top / "regularisers" / "timings.json").write_text(TIMINGS)
    (top / "models").mkdir()
    np.savez(top / "models" / "champion.npz", probabilities=np.eye(10)[LABELS], labels=LABELS)
    report.write(top)
    return top


@pytest.mark.parametrize("damaged", [True, False])
def test_a_file_of_another_form_is_named(tmp_path: Path, damaged: bool) -> None:
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "mine.npz"
    np.savez(file, probs=np.eye(2), labels=np.arange(2))
    if damaged:
        file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(ValueError, match=f"{file}: expected arrays probabilities and labels, found: "):
        report.write(tmp_path)


def test_the_report_needs_nothing_else(study: Path) -> None:
    page = (study / "report.html").read_text()
    assert "<script" not in page and "@import" not in page and "url(http" not in page
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []


def test_the_report_has_a_figure_for_everything(study: Path) -> None:
    page = (study / "report.html").read_text()
    assert page.count("<figure>") == page.count("<svg") == page.count("</svg>") == page.count("<figcaption>") == 12
    identifiers = re.findall(r' id="([^"]*)"', page)
    assert len(set(identifiers)) == len(identifiers)
    assert "champion" in page


def test_the_report_begins_with_its_figures(study: Path) -> None:
    page = (study / "report.html").read_text()
    assert page.rindex("<figure>") < page.index("<table>")
    between = page[page.index("</h1>") : page.index("<figure>")]
    assert "<p>" not in between and "<li>" not in between


def test_the_report_says_what_claims_come_to(study: Path) -> None:
    page = (study / "report.html").read_text()
    assert re.search(r"2\. Dropout makes training a little faster\.</h3><p><span[^>]*>[a-z ]+</span>", page)
    assert "A step costs 1.50 ms with dropout and 1.25 ms without" in page
    assert "6. In a convolutional net" in page


def test_titles_are_escaped(study: Path) -> None:
    assert "<plain>" not in (study / "report.html").read_text()


def test_figures_take_their_ink_from_the_page(study: Path) -> None:
    page = (study / "report.html").read_text()
    assert "currentColor" in page and "#010203" not in page


def test_a_report_is_the_same_each_time(study: Path) -> None:
    before = (study / "report.html").read_bytes()
    report.write(study)
    assert (study / "report.html").read_bytes() == before


def test_a_suite_that_has_not_run_is_left_out(study: Path, tmp_path: Path) -> None:
    (tmp_path / "convolution").symlink_to(study / "convolution")
    report.write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "In a convolutional net" in page and "Over-fitting: training" not in page
