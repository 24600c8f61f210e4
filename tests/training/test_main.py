"""The training job as a user runs it, tiny but whole."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from testing import warm
from testing.digits import write_set
from testing.waiting import eventually
from testing.warm import WarmProcess
from training import progress, publish

pytestmark = pytest.mark.slow


def command(data: Path, models: Path, *arguments: str) -> list[str]:
    return [
        "training", "train", f"--data={data}", f"--models={models}",
        f"--runs={models}-runs", *arguments,
    ]  # fmt: skip


def run(data: Path, models: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*command(data, models, *arguments))


def contents(models: Path) -> dict[Path, int]:
    """Return the files that serving reads models from, and when each was written."""
    return {p: p.stat().st_mtime_ns for p in models.rglob("*") if p.name not in (".lock", progress.FILE)}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture(scope="module")
def trained(digits_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which `plain` has been published."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    done = run(digits_dir, folder, "--variants=plain", "--epochs=1", "--seed=1")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def published(trained: Path, models: Path) -> Path:
    """A copy of it for one test, whose models.config names the copy."""
    shutil.copytree(trained, models)
    config = models / publish.CONFIG
    config.write_text(config.read_text().replace(str(trained), str(models)))
    return models


def test_a_run_publishes_what_it_says(digits_dir: Path, models: Path) -> None:
    done = run(digits_dir, models, "--variants=l2,dropout", "--epochs=2", "--seed=3")
    assert done.returncode == 0, done.stderr
    assert "Total params: 244,522" in done.stdout
    assert re.search(r"^dropout  0 loss: \d\.\d+ Evaluate Acc: 0\.\d+$", done.stdout, re.M)
    assert re.search(r"^l2       47 loss: \d\.\d+ Evaluate Acc: 0\.\d+$", done.stdout, re.M)
    assert re.search(r"^dropout +1 +0\.\d{4} +0\.9635", done.stdout, re.M)
    manifest = json.loads((models / "manifest.json").read_text())
    assert [v["name"] for v in manifest["variants"]] == ["dropout", "l2"]
    assert manifest["default"] == "dropout"
    dropout = manifest["variants"][0]
    assert dropout["signatures"] == ["serving_default", "mc_dropout", "with_familiarity"]
    assert dropout["training"] == {
        "seed": 3, "images": 3000, "steps": 48, "batch": 128, "optimizer": "adam", "learning_rate": 0.01,
        "learning_rate_schedule": "constant", "temperature": 1.0,
    }  # fmt: skip
    assert dropout["history"][-1]["accuracy"] == pytest.approx(dropout["test"]["accuracy"])
    events = list(Path(f"{models}-runs").glob("*/dropout/events.out.tfevents.*"))
    assert len(events) == 1


def test_one_seed_gives_one_model_and_another_run_another_version(digits_dir: Path, published: Path) -> None:
    def weights(version: int) -> bytes:
        return (published / "plain" / str(version) / "variables" / "variables.data-00000-of-00001").read_bytes()

    for seed in (1, 2):
        assert run(digits_dir, published, "--variants=plain", "--epochs=1", f"--seed={seed}").returncode == 0
    assert weights(1) == weights(2) != weights(3)


def test_only_what_is_missing(digits_dir: Path, published: Path) -> None:
    assert run(digits_dir, published, "--variants=plain,l2", "--epochs=1", "--if-missing").returncode == 0
    assert publish.versions(published / "plain") == publish.versions(published / "l2") == [1]
    moved = published.rename(published.with_name("moved"))
    done = run(digits_dir, moved, "--variants=plain,l2", "--if-missing")
    assert f"Published in {moved}: plain, l2; there is nothing to train." in done.stdout
    assert f'base_path: "{moved}/l2"' in (moved / "models.config").read_text()


def test_variants_that_learned_from_another_image_set_are_not_withdrawn(published: Path, tmp_path: Path) -> None:
    """One set is a manifest's; `make serve`, say, would train on MNIST what is missing of a set of letters."""
    other, before = tmp_path / "other", (published / publish.MANIFEST).read_text()
    other.mkdir()
    write_set(other, train=300, test=100)
    for arguments in (("--variants=plain,l2", "--if-missing"), ("--variants=l2",)):
        refused = run(other, published, *arguments)
        assert refused.returncode == 2
        assert (
            f"training: {published}: expected digits, which its variants learned from, found other;" in refused.stderr
        )
        assert (published / publish.MANIFEST).read_text() == before
    assert run(other, published, "--variants=plain", "--epochs=1").returncode == 0
    assert json.loads((published / publish.MANIFEST).read_text())["data"]["name"] == "other"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_waits_for_another_and_trains_what_is_missing_then(
    digits_dir: Path, published: Path, stopped: bool
) -> None:
    manifest = published / publish.MANIFEST
    with publish.staging(published):
        away = manifest.rename(published.with_name("away.json"))
        second = WarmProcess(
            *command(digits_dir, published, "--variants=plain", "--if-missing"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert second.stdout and second.stderr
        while "waiting for another run, which publishes in" not in (line := second.stderr.readline()):
            assert line, "the job did not wait"
        away.rename(manifest)
        if stopped:
            second.terminate()
            second.wait(60)
    output, _ = second.communicate(timeout=60)
    assert ("published" in output, second.returncode) == ((False, -signal.SIGTERM) if stopped else (True, 0))
    assert publish.versions(published / "plain") == [1]


def test_losses_that_are_no_numbers_publish_nothing(digits_dir: Path, models: Path) -> None:
    done = run(digits_dir, models, "--variants=plain,l2", "--epochs=2", "--learning-rate=1e25")
    assert done.returncode == 3
    assert re.search(r"the loss is not a number any more after step \d+\. Nothing was published; try", done.stderr)
    assert not (models / "manifest.json").exists() and not list(models.glob("*/"))
    assert "config {" not in (models / "models.config").read_text()
    assert progress.read(models)["state"] == "failed"


def test_a_recipe_that_fails_leaves_those_before_it(digits_dir: Path, models: Path) -> None:
    variants = "--variants=plain,l2,champion"
    started = WarmProcess(
        *command(digits_dir, models, variants, "--epochs=1", "--draws=100000", "--background"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with started as process:
        assert process.stdout
        while not (models / "manifest.json").exists():
            assert process.stdout.readline(), "the job ended before it published anything"
        eventually(lambda: progress.read(models)["variants"][-1]["done"] > 0, "the champion to train", seconds=60)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    rest = f"--variants=champion --data={digits_dir} trains the rest."
    assert f"training: stopped. plain, l2 are published; {rest}" in errors
    run_ended = progress.read(models)
    assert [v["state"] for v in run_ended["variants"]] == ["published", "published", "training"]
    assert json.loads((models / "manifest.json").read_text())["default"] == "plain"
    assert run(digits_dir, models, variants, "--draws=1", "--if-missing").returncode == 0
    assert json.loads((models / "manifest.json").read_text())["default"] == "champion"


def test_a_run_may_end_once_something_is_published(digits_dir: Path, models: Path) -> None:
    assert run(digits_dir, models, "--epochs=1", "--variants=l2,champion", "--until-published").returncode == 0
    assert [v["name"] for v in json.loads((models / "manifest.json").read_text())["variants"]] == ["l2"]
    again = run(digits_dir, models, "--if-missing", "--until-published")
    assert again.stdout == f"Published in {models}: l2.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_models_as_they_were(digits_dir: Path, published: Path, number: signal.Signals) -> None:
    before = contents(published)
    with WarmProcess(
        *command(digits_dir, published, "--variants=plain,l2", "--epochs=100000"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        for line in process.stdout:
            if " 500 loss: " in line:
                break
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "training: stopped. Nothing was published." in errors
    assert contents(published) == before
    assert progress.read(published)["state"] == "stopped"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variants=foo"], "training: no variant foo; there are plain"),
        (["--epochs=0"], "argument --epochs: 0 is not 1 or more"),
        (["--learning-rate=0"], "argument --learning-rate: 0 is not a number above 0"),
        (["--learning-rate=nan"], "argument --learning-rate: nan is not a number above 0"),
        (["--seed=-1"], "argument --seed: -1 is not between 0 and"),
    ],
)
def test_bad_arguments_are_named(digits_dir: Path, models: Path, arguments: list[str], message: str) -> None:
    done = run(digits_dir, models, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_one_class_is_nothing_to_learn(digits_dir: Path, models: Path, tmp_path: Path) -> None:
    one = shutil.copytree(digits_dir, tmp_path / "one")
    for file in one.glob("*labels*"):
        head, labels = file.read_bytes()[:8], file.read_bytes()[8:]
        file.write_bytes(head + bytes(len(labels)))
    done = run(one, models)
    assert done.returncode == 2
    assert done.stderr == f"training: {one}: expected labels of two classes or more, found 0 alone\n"


def test_bad_data_is_named(tmp_path: Path, models: Path) -> None:
    done = run(tmp_path, models)
    assert done.returncode == 2
    assert done.stderr.startswith(f"training: {tmp_path}: expected mnist.npz or the IDX files")
