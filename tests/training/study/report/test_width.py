"""Measure the report in Chromium, with the longest titles and figures that a study gives it."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.training.study.report.test_document import ABOUT, no_trainer
from tests.training.study.results import LABELS, made_up
from training import files
from training.study import tables
from training.study.analysis import summary
from training.study.analysis.comparisons import REGULARISERS, Comparison
from training.study.report import document as report
from training.study.run import Job, Suite
from training.study.suites import convolution, convolution_suite
from training.study.suites.arms import arms

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDTH, HEIGHT = 1200, 900  # pixels
CUT = """() => [...document.querySelectorAll("table")]
  .filter((table) => table.scrollWidth > table.parentElement.clientWidth)
  .map((table) => table.querySelector("thead").innerText)"""


def write_suite(top: Path, name: str, titles: dict[str, str], comparisons: tuple[Comparison, ...]) -> None:
    """Write the tables of a suite of these arms, two made-up seeds each."""
    results = [made_up(arm, seed, wrong=i + 10 * seed) for i, arm in enumerate(titles) for seed in (1, 2)]
    jobs = [Job(r.arm, r.seed, "0") for r in results]
    suite = Suite(name, titles, jobs, comparisons, LABELS, ABOUT[name], no_trainer)
    (top / name).mkdir()
    tables.write(top / name, results, LABELS)
    files.write(top / name / "statistics.json", summary.text(summary.document(suite, results)))


def test_no_table_is_cut_on_a_screen_of_1200_pixels(tmp_path: Path) -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("There is no Chromium here: install one (apt-get install chromium), or name one in CHROMIUM.")
    write_suite(tmp_path, "regularisers", {a.variant.name: a.variant.title for a in arms(4690)}, REGULARISERS)
    cells = {cell.name: cell.title for cell in convolution.cells()}
    write_suite(tmp_path, "convolution", cells, convolution_suite.comparisons())
    report.write(tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if not os.geteuid() else []
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto((tmp_path / "report.html").as_uri())
        assert page.locator("table").count() > 8
        cut = page.evaluate(CUT)
        browser.close()
    assert cut == []
