from pathlib import Path

import pytest

from training import progress
from training.stopping import Stopped
from training.variants import VARIANTS

FIRST, SECOND = VARIANTS[:2]
STEPS = {FIRST.name: 10, SECOND.name: 20}


def states(models: Path) -> dict[str, tuple[str, int, int]]:
    return {v["name"]: (v["state"], v["done"], v["steps"]) for v in progress.read(models)["variants"]}


def test_a_run_is_on_disk_from_its_beginning(tmp_path: Path) -> None:
    with progress.recorded(tmp_path, (FIRST, SECOND), STEPS) as run:
        assert states(tmp_path) == {FIRST.name: ("waiting", 0, 10), SECOND.name: ("waiting", 0, 20)}
        run.step(FIRST, 4)
        run.move([FIRST], "training")
        assert states(tmp_path)[FIRST.name] == ("training", 4, 10)
        assert progress.read(tmp_path)["state"] == "training"
    assert progress.read(tmp_path)["state"] == "finished"


def test_steps_are_not_written_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = progress.Progress(tmp_path, (FIRST,), STEPS)
    monkeypatch.setattr(progress, "WRITE_SECONDS", 3600.0)
    run.step(FIRST, 4)
    assert states(tmp_path)[FIRST.name] == ("waiting", 0, 10)
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.0)
    run.step(FIRST, 5)
    assert states(tmp_path)[FIRST.name] == ("waiting", 5, 10)


@pytest.mark.parametrize(
    ("error", "state", "detail"), [(Stopped(), "stopped", ""), (ValueError("it broke"), "failed", "it broke")]
)
def test_a_run_that_ends_early_says_how(tmp_path: Path, error: Exception, state: str, detail: str) -> None:
    with pytest.raises(type(error)), progress.recorded(tmp_path, (FIRST,), STEPS):
        raise error
    assert (progress.read(tmp_path)["state"], progress.read(tmp_path)["detail"]) == (state, detail)
