"""A study as a user runs it, tiny but whole: killed, stopped, asked for what it does not have."""

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testing import warm
from testing.waiting import eventually
from testing.warm import WarmProcess
from training import population
from training.__main__ import main
from training.arguments import parser
from training.data import load
from training.study import run, timing
from training.study.command import SUITES

pytestmark = pytest.mark.slow
TABLES = ("results.csv", "curves.csv", "statistics.json")
MEMBERS = 6


def command(data: Path, folder: Path, *arguments: str) -> list[str]:
    return ["training", "study", f"--data={data}", f"--folder={folder}", *arguments]


def tiny(data: Path, folder: Path, epochs: int = 5) -> list[str]:
    """Return the command of a study of MEMBERS in `folder`, where nothing is to be timed any more."""
    (folder / "regularisers").mkdir(parents=True, exist_ok=True)
    (folder / "regularisers" / "timings.json").write_text("null")
    return command(data, folder, "--arms=plain,dropout,uniform", "--seeds=2", f"--epochs={epochs}")


def start(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return warm.run(*arguments)


def finished(folder: Path) -> int:
    return len(list((folder / "regularisers" / "members").glob("*.npz")))


def start_until(arguments: list[str], folder: Path, members: int) -> WarmProcess:
    """Start a study and return it as soon as so many members are finished."""
    process = WarmProcess(*arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    def enough() -> bool:
        done = finished(folder) >= members
        assert done or process.poll() is None, f"the study ended with {process.returncode}"
        return done

    eventually(enough, f"{members} finished members")
    return process


@pytest.fixture(scope="module")
def undisturbed(digits_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a study that ran from its start to its end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = start(tiny(digits_dir, folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_a_study_stopped_and_killed_ends_with_the_same_bytes(
    digits_dir: Path, undisturbed: Path, tmp_path: Path
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        with start_until(tiny(digits_dir, tmp_path), tmp_path, finished(tmp_path) + 1) as process:
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert "training: stopped. Finished members are kept; the same command trains the rest." in errors
        assert "Traceback" not in errors
    assert finished(tmp_path) < MEMBERS
    while (some := finished(tmp_path)) < MEMBERS:
        with start_until(tiny(digits_dir, tmp_path), tmp_path, random.randint(some + 1, MEMBERS)) as process:
            process.kill()
    assert start(tiny(digits_dir, tmp_path)).returncode == 0
    for name in TABLES:
        table = (undisturbed / "regularisers" / name).read_bytes()
        assert (tmp_path / "regularisers" / name).read_bytes() == table
    assert len((tmp_path / "regularisers" / "results.csv").read_text().splitlines()) == 1 + MEMBERS
    assert "Dropout 0.5" in (tmp_path / "report.html").read_text()


def test_what_is_finished_is_not_trained_again_and_a_new_recipe_is(
    digits_dir: Path, undisturbed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(undisturbed, tmp_path / "copy")
    members = folder / "regularisers" / "members"
    before = {path: path.stat().st_mtime_ns for path in members.iterdir()}
    assert start(tiny(digits_dir, folder)).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in members.iterdir()} == before
    assert start(tiny(digits_dir, folder, epochs=1)).returncode == 0
    assert len(list(members.iterdir())) == 2 * len(before) == 2 * MEMBERS
    about = json.loads((folder / "regularisers" / "statistics.json").read_text())["about"]
    assert about["recipe"]["epochs"] == 1


def test_parts_are_merged_to_the_bytes_of_the_whole(digits_dir: Path, undisturbed: Path, tmp_path: Path) -> None:
    def study(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return start([*tiny(digits_dir, folder), *arguments])

    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(undisturbed / "regularisers" / "members", second / "regularisers" / "members")
    whole = sorted(file.name for file in (second / "regularisers" / "members").glob("*.npz"))
    (second / "regularisers" / "members" / whole[0]).unlink()
    for shard in ("0/2", "1/2"):  # one of them trains the member that is missing
        assert study(second, f"--shard={shard}").returncode == 0
        assert not (second / "regularisers" / "results.csv").exists()
    assert finished(second) == MEMBERS
    missing = study(first, "--merge")
    assert missing.returncode == 2
    assert f"{MEMBERS} of {MEMBERS} members are missing, such as plain, seed 1" in missing.stderr
    assert study(first, "--merge", str(second)).returncode == 0
    for name in TABLES:
        assert (first / "regularisers" / name).read_bytes() == (undisturbed / "regularisers" / name).read_bytes()


def test_a_part_is_every_nth_member(monkeypatch: pytest.MonkeyPatch, digits_dir: Path, tmp_path: Path) -> None:
    trained: list[run.Job] = []
    monkeypatch.setattr(run, "train_missing", lambda suite, jobs, *others: trained.extend(jobs))
    monkeypatch.setattr(population, "use_one_core_per_member", lambda: None)  # TensorFlow may be in use here
    for shard in ("0/3", "1/3", "2/3"):
        monkeypatch.setattr(sys, "argv", [*tiny(digits_dir, tmp_path), f"--shard={shard}"])
        assert main() == 0
    assert [job.seed for job in trained] == [1, 2] * 3
    assert len(set(trained)) == MEMBERS


def test_times_have_a_folder_before_any_member(
    monkeypatch: pytest.MonkeyPatch, digits_dir: Path, tmp_path: Path
) -> None:
    there: list[bool] = []
    monkeypatch.setattr(timing, "write", lambda path, *_: there.append(path.parent.is_dir()))
    monkeypatch.setattr(population, "use_one_core_per_member", lambda: None)  # TensorFlow may be in use here
    monkeypatch.setattr(sys, "argv", command(digits_dir, tmp_path, "--suite=convolution", "--timing"))
    assert main() == 0
    assert there == [True]


def test_an_unknown_arm_ends_the_command(
    digits_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", command(digits_dir, tmp_path, "--arms=plain,foo"))
    assert main() == 2
    errors = capsys.readouterr().err
    assert "training: no arm foo; there are plain, dropout, l2, dropout_l2, " in errors
    assert "Traceback" not in errors


def test_each_suite_has_its_own_arms(digits_dir: Path) -> None:
    arguments = parser().parse_args(["study", "--suite=convolution", "--arms=plain"])
    with pytest.raises(ValueError, match="no arm plain; there are small_none, "):
        SUITES[arguments.suite](arguments, load(digits_dir))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--seeds=0", "argument --seeds: 0 is not 1 or more"),
        ("--shard=2/2", "2/2 is not INDEX/COUNT, such as 0/4, with an index from 0 below the count"),
        ("--suite=foo", "invalid choice: 'foo'"),
    ],
)
def test_bad_arguments_are_named(capsys: pytest.CaptureFixture[str], argument: str, message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["study", argument])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
