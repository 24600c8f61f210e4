"""Run the notebook's code in one namespace, as a kernel does; Jupyter itself would bring a hundred packages."""

import json
from typing import Any

import pytest

from testing.api import ADMIN_TOKEN
from testing.machine import ROOT
from testing.waiting import eventually
from tests.conftest import Serving

pytestmark = pytest.mark.slow
NOTEBOOK = json.loads((ROOT / "docs/tour.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs_from_its_start_to_a_verdict(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT / "docs")  # where Jupyter runs it
    monkeypatch.setenv("DROPSERVE_URL", serving.url)
    monkeypatch.setenv("DROPSERVE_API_KEY", ADMIN_TOKEN)
    names: dict[str, Any] = {}
    for number, cell in enumerate(CODE):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
        shown = [output for output in cell["outputs"] if output.get("name") == "stdout"]
        assert bool(shown) == bool(capsys.readouterr().out)  # its outputs are those of a run
    assert names["verdict"]
    # A fair sample is kept, of the images that other tests sent, too.
    eventually(lambda: names["client"].learning()["labelled"] > 0, "labelled images that are kept")


def test_the_notebook_was_run_in_order_and_without_errors() -> None:
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    assert {output["output_type"] for cell in CODE for output in cell["outputs"]} <= {"stream", "execute_result"}
    assert NOTEBOOK["nbformat"] == 4
