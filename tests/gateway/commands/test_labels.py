import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serving.gateway.commands import forget, labels
from serving.gateway.learning import image_set, keeper
from testing.api import json_of
from testing.traffic import label, predict
from testing.waiting import eventually
from tests.gateway.conftest import MakeClient
from training import data

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


@pytest.fixture
def keeping(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(keeper, "FLUSH_SECONDS", 0.01)
    return make_client(keep_labelled=100)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, database_url: str, manifest_folder: Path, tmp_path: Path
) -> Path:  # fmt: skip
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)
    monkeypatch.setenv("GATEWAY_MODELS_DIR", str(manifest_folder))
    folder = tmp_path / "labels"
    monkeypatch.setattr(sys, "argv", ["labels", f"--folder={folder}"])
    return folder


def teach(client: FlaskClient, units: int) -> list[str]:
    """Label two images of each unit; return the predictions' ids."""
    ids = []
    for unit in range(units):
        ids += [each["id"] for each in predict(client, 3, 4, unit=f"unit {unit}")["predictions"]]
    for number, each in enumerate(ids):
        assert label(client, each, "34"[number % 2]) == 201
    eventually(lambda: json_of(client.get("/learning"))["labelled"] == 2 * units)
    return ids


@BOTH
def test_training_reads_the_set(keeping: FlaskClient, command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teach(keeping, 8)
    assert labels.main() == 0
    assert "100% of the labelled predictions found their pixels." in capsys.readouterr().out
    folder = command / (command / "latest").read_text().strip()
    images = data.load(folder)
    assert len(images.train_images) + len(images.test_images) == 16
    assert {*images.train_labels, *images.test_labels} == {3, 4}
    assert len(image_set.predictions(folder / "labels.jsonl")) == 16


def test_a_set_goes_with_one_of_its_images(
    keeping: FlaskClient, command: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = teach(keeping, 8)
    assert labels.main() == 0
    before = (command / "latest").read_text().strip()
    assert labels.main() == 0
    assert [each.name for each in command.iterdir() if each.is_dir()] == [before]
    monkeypatch.setattr(sys, "argv", ["forget", f"--prediction={first}", f"--folder={command}"])
    assert forget.main() == 0
    assert f"Deleted 1 images and 1 labels, and the image sets {before}.\n" in capsys.readouterr().out
    assert list(command.iterdir()) == []
    monkeypatch.setattr(sys, "argv", ["labels", f"--folder={command}"])
    assert labels.main() == 0
    folder = command / (command / "latest").read_text().strip()
    assert len(image_set.predictions(folder / "labels.jsonl")) == 15


def test_a_set_goes_that_a_later_one_replaces(keeping: FlaskClient, command: Path) -> None:
    teach(keeping, 8)
    assert labels.main() == 0
    before = (command / "latest").read_text().strip()
    [more] = predict(keeping, 5, unit="other")["predictions"]
    assert label(keeping, more["id"], "5") == 201
    eventually(lambda: json_of(keeping.get("/learning"))["labelled"] == 17)
    for _ in range(2):  # the second finds that the first set is no longer the latest
        assert labels.main() == 0
    assert [each.name for each in command.iterdir() if each.is_dir()] != [before]
    assert len([each for each in command.iterdir() if each.is_dir()]) == 1


@pytest.mark.usefixtures("store")
def test_without_labels_it_says_so_and_writes_nothing(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert labels.main() == 2
    assert "labels: There are no labelled images; set GATEWAY_KEEP_LABELLED" in capsys.readouterr().err
    assert not command.exists()


def test_without_a_manifest_it_says_so(
    command: Path, manifest_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    (manifest_folder / "manifest.json").unlink()
    assert labels.main() == 1
    assert "manifest.json does not exist; the training job writes it" in capsys.readouterr().err
