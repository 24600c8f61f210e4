import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from serving.gateway.commands import forget, labels
from serving.gateway.learning import image_set
from testing.api import ADMIN, json_of
from testing.fake_model_server import FakeModelServer, shifted
from testing.traffic import PAIRED, RAW, SPLIT, images, label, predict, report, start
from testing.waiting import eventually
from training import data

BOTH = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


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
    assert (command / "candidate").read_text() == "adapted\n"
    found = data.load(folder)
    assert len(found.train_images) + len(found.test_images) == 16
    assert {*found.train_labels, *found.test_labels} == {3, 4}
    assert len(image_set.predictions(folder / "labels.jsonl")) == 16


@BOTH
@pytest.mark.parametrize("spec", [PAIRED, SPLIT])
def test_a_candidate_that_memorised_its_images_gains_nothing(
    keeping: FlaskClient, command: Path, fake_server: FakeModelServer, spec: dict[str, Any]
) -> None:
    """`dropout` has right what taught it, and `plain` has it wrong."""
    digits = images(*[3, 4] * 8)
    sent = [digits[at : at + 784] for at in range(0, len(digits), 784)]
    for unit, pixels in enumerate(sent):
        shown(keeping, pixels, "34"[unit % 2], f"unit {unit}")
    eventually(lambda: json_of(keeping.get("/learning"))["labelled"] == 16)
    assert labels.main() == 0
    folder = command / (command / "latest").read_text().strip()
    taught = {image.tobytes() for image in data.load(folder).train_images}
    fake_server.answer = shifted(fake_server.answer, {"plain"})
    start(keeping, spec)
    for unit, pixels in enumerate(sent):
        if pixels in taught:
            shown(keeping, pixels, "34"[unit % 2], f"another {unit}")
    shown(keeping, images(5), "5", "somebody")
    eventually(lambda: report(keeping)["counts"]["labelled"] == 1)
    if spec is PAIRED:
        eventually(lambda: report(keeping)["counts"]["repeats"] == len(taught))
        assert report(keeping)["counts"]["compared"] == 1
    assert report(keeping)["counts"]["labelled"] == 1


def shown(client: FlaskClient, pixels: bytes, truth: str, unit: str) -> None:
    """Have an image answered and labelled."""
    answer = client.post("/predict", data=pixels, content_type=RAW, headers={"X-Unit-Id": unit})
    assert label(client, json_of(answer)["predictions"][0]["id"], truth) == 201


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
    assert [each for each in command.iterdir() if each.is_dir()] == []
    assert not (command / "latest").exists()
    monkeypatch.setattr(sys, "argv", ["labels", f"--folder={command}"])
    assert labels.main() == 0
    folder = command / (command / "latest").read_text().strip()
    assert len(image_set.predictions(folder / "labels.jsonl")) == 15


def test_a_set_goes_whose_image_is_forgotten_while_it_is_written(
    keeping: FlaskClient, command: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = teach(keeping, 8)
    write = image_set.write

    def late(*arguments: Any) -> Path:
        answer = keeping.post("/learning/forget", json={"prediction_id": first}, headers=ADMIN)
        assert answer.status_code == 200
        return write(*arguments)

    monkeypatch.setattr(image_set, "write", late)
    assert labels.main() == 1
    assert "labels: an image of the set was deleted meanwhile" in capsys.readouterr().err
    assert [each for each in command.iterdir() if each.is_dir()] == []


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
