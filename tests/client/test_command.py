import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dropserve import Client, Unreachable
from dropserve.command import output
from dropserve.command.completion import script
from dropserve.command.main import main
from dropserve.command.table import COMMANDS, SHELLS

from testing.machine import ROOT, free_port
from tests.client.conftest import Run

SEVEN = ROOT / "docs/seven.png"


def as_program(*words: str | Path, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, with nothing in its environment but what is given."""
    return subprocess.run(
        [sys.executable, "-m", "dropserve.command.main", *words], input=given, capture_output=True,
        env={"PYTHONPATH": str(ROOT / "clients/python/src"), **environment},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of nine images, one of which is none, in two folders, beside a file of another kind."""
    (inner := tmp_path / "images" / "inner").mkdir(parents=True)
    for number in range(8):
        (inner if number > 4 else inner.parent).joinpath(f"{number}.PNG").write_bytes(SEVEN.read_bytes())
    (inner.parent / "none.png").write_text("none")
    (inner.parent / "notes.txt").write_text("no image")
    return inner.parent


@pytest.mark.parametrize("options", [(), ("--batch", 3, "--connections", 2), ("--batch", 1)])
@pytest.mark.slow
def test_each_file_of_a_folder_has_its_answer_in_order(run: Run, folder: Path, options: tuple[object, ...]) -> None:
    ran = run("predict", folder, "--json", *options)
    names = [Path(row["file"]).relative_to(folder).as_posix() for row in ran.rows()]
    assert names == [*(f"{n}.PNG" for n in range(5)), *(f"inner/{n}.PNG" for n in range(5, 8))]
    assert len({row["label"] for row in ran.rows()}) == 1
    assert ran.code == 4
    assert ran.err == f"dropserve: {folder}/none.png: This is no BMP, GIF, JPEG, PNG or WEBP image.\n"


def test_a_table_has_a_row_an_image(run: Run) -> None:
    ran = run("predict", SEVEN, "--variant", "dropout", "--uncertainty")
    head, row = (line.split() for line in ran.out.splitlines())
    assert head == ["file", "label", "confidence", "familiarity", "entropy", "mutual_information", "variant", "id"]
    assert row[:-1] == [str(SEVEN), row[1], "1.0000", "–", "0.5000", "0.2500", "dropout"]
    assert ran.code == 0


def test_every_variant_is_compared(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.png").write_text("none")
    ran = run("compare", SEVEN, tmp_path)
    assert [line.split()[1] for line in ran.out.splitlines()] == ["variant", "plain", "dropout"]
    assert (ran.code, ran.err.startswith(f"dropserve: {tmp_path}/none.png: This is no")) == (4, True)


@pytest.mark.slow
def test_an_image_comes_by_standard_input(url: str) -> None:
    done = as_program("predict", "-", "--json", "--url", url, given=SEVEN.read_bytes())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["file"] == "-"


def test_labels_are_stored_one_at_a_time_or_from_a_file(run: Run, tmp_path: Path) -> None:
    first, second = (row["id"] for row in run("predict", SEVEN, SEVEN, "--json").rows())
    assert run("label", first, "7", "--source", "ground_truth").out.splitlines()[1].startswith("201 ")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([(second, "7"), ("none", "7")])
    ran = run("label", "--file", tmp_path / "labels.csv", "--json")
    assert [row["status"] for row in ran.rows()] == [201, 404]
    assert ran.code == 4
    assert ran.err.startswith("dropserve: none: There is no prediction 'none'")


def test_a_spreadsheets_file_of_labels_is_read(run: Run, tmp_path: Path) -> None:
    """It begins with a byte-order mark, and may end in empty rows."""
    [row] = run("predict", SEVEN, "--json").rows()
    file = tmp_path / "labels.csv"
    file.write_text(f"{row['id']},7\r\n,\r\n", encoding="utf-8-sig")
    ran = run("label", "--file", file, "--json")
    assert ([each["status"] for each in ran.rows()], ran.code) == ([201], 0)
    file.write_text(f"{row['id']},7\n,8\n")
    ran = run("label", "--file", file)
    assert (ran.code, "row 2: there must be an id and a label" in ran.err) == (2, True)


def test_an_experiment_is_made_moved_and_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"margin": 0.02, "control": "overridden"}')
    made = run(
        "experiments", "create", "by_command", "--control", "plain", "--arms", "plain=0.5,dropout=0.5", "--paired",
        "--max-labels", "100", "--spec", tmp_path / "spec.json", "--json",
    )  # fmt: skip
    spec = json.loads(made.out)
    assert (spec["margin"], spec["control"], spec["paired"], spec["max_labels"]) == (0.02, "plain", True, 100)
    assert "running" in run("experiments", "start", "by_command", "--reason", "a test").out
    assert "recommendation" in run("experiments", "report", "by_command").out
    assert "by_command  running  plain    plain=0.5, dropout=0.5" in run("experiments", "list").out
    assert run("experiments", "stop", "by_command").code == 0
    assert "stopped" in run("experiments", "show", "by_command").out
    assert run("experiments", "start", "none").code == 1


def test_variants_and_labels_to_learn_from_are_listed(run: Run) -> None:
    assert [line.split()[0] for line in run("variants").out.splitlines()] == ["variant", "plain", "dropout"]
    ran = run("improve")
    assert "0 images of 0 units" in ran.out
    assert "set GATEWAY_KEEP_LABELLED" in ran.err


@pytest.mark.slow
def test_improve_runs_the_job_of_a_clone(run: Run, url: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("improve:\n\ttouch ran; exit $$(test -e fail && echo 1 || echo 0)\n")
    assert (run("improve", "--run", tmp_path).code, (tmp_path / "ran").exists()) == (0, True)
    done = as_program("improve", "--run", tmp_path, "--json", "--url", url, PATH=os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["drafts"] == []
    assert b"touch ran" in done.stderr
    (tmp_path / "fail").touch()
    assert run("improve", "--run", tmp_path).code == 2  # make's own


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("predict", SEVEN, "--variant", "foo"), 1, "There is no variant 'foo'"),
        (("predict", SEVEN, SEVEN, "--variant", "plain", "--uncertainty"), 1, "Variant 'plain' cannot tell its"),
        (("predict", "/nowhere.png"), 4, "No such file"),
        (("predict", ROOT / "deploy"), 2, "There are no images in"),
        (("predict", "-", SEVEN), 2, "name no other beside it"),
        (("label", "id"), 2, "Give the id of a prediction and its label"),
        (("label", f"-{'a' * 60}", "7", "--source", "ground_truth"), 1, "There is no prediction '-aaa"),
        (("label", "--file", "/nowhere.csv"), 1, "No such file"),
        (("variants", "--url", f"http://127.0.0.1:{free_port()}"), 3, "No gateway answers at"),
    ],
)
def test_exit_codes_and_sentences_tell_errors_apart(run: Run, words: tuple[object, ...], code: int, said: str) -> None:
    ran = run(*words)
    assert (ran.code, said in ran.err) == (code, True), ran


@pytest.mark.parametrize("words", [[], ["predict"], ["predict", "a.png", "--batch", "0"], ["experiments", "fly", "x"]])
def test_a_wrong_command_line_is_refused_by_its_parser(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def test_a_terminal_sees_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """But not amid the answers, where they go to the same terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(output.with_progress(range(1000), 1000, "images")) == list(range(1000))
    assert "500 of 1,000 images" in (bars := capsys.readouterr().err)
    assert bars.endswith("\r") and bars.count("\r") <= 203
    assert next(begun := output.with_progress(range(9), 9, "images")) == 0
    begun.close()  # as where the gateway goes away
    assert capsys.readouterr().err.endswith(" \r")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert list(output.with_progress(range(9), 9, "images")) == list(range(9))
    assert capsys.readouterr().err == ""


def test_refused_files_are_named_though_the_gateway_goes_away(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none.png").write_text("none")
    (tmp_path / "seven.png").write_bytes(SEVEN.read_bytes())
    whole = Client.predict

    def once(client: Client, *images: Path, **parameters: Any) -> Any:
        if images[0].name == "seven.png":
            raise Unreachable("No gateway answers.")
        return whole(client, *images, **parameters)

    monkeypatch.setattr(Client, "predict", once)
    ran = run("predict", tmp_path, "--batch", "1", "--connections", "1")
    assert ran.code == 3
    assert ran.err.splitlines() == [
        f"dropserve: {tmp_path}/none.png: This is no BMP, GIF, JPEG, PNG or WEBP image.",
        "dropserve: No gateway answers.",
    ]


def test_a_folder_that_cannot_be_read_is_named(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.scandir

    def scandir(path: str | Path) -> Any:
        if Path(path).name == "inner":  # root may read any
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    ran = run("predict", folder)
    assert (ran.code, f"dropserve: {folder}/inner: " in ran.err) == (4, True)


@pytest.mark.parametrize("command", ["predict", "compare"])
def test_a_file_in_a_folder_that_may_not_be_searched_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    whole = Path.stat

    def stat(path: Path, **others: Any) -> os.stat_result:
        if path.parent.name == "locked":  # root may search any
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return whole(path, **others)

    monkeypatch.setattr(Path, "stat", stat)
    ran = run(command, SEVEN, tmp_path / "locked" / "x.png", "--json")
    assert (ran.code, {row["file"] for row in ran.rows()}) == (4, {str(SEVEN)})
    assert f"dropserve: {tmp_path}/locked/x.png: " in ran.err


@pytest.mark.slow
def test_a_name_that_cannot_be_written_ends_no_run(url: str, tmp_path: Path) -> None:
    for name in (b"caf\xe9.png", "七.png".encode()):
        (tmp_path / os.fsdecode(name)).write_bytes(SEVEN.read_bytes())
    done = as_program("predict", tmp_path, "--url", url, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, b"", 3)


def completed(*words: str) -> set[str]:
    """Return what bash offers after these words, the last of which is begun."""
    line = (
        f'{script("bash")}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dropserve; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", line, "bash", "dropserve", *words], cwd=ROOT / "docs", capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines())


def test_bash_completes_commands_options_values_and_files(tmp_path: Path) -> None:
    assert completed("") == {*(command.name for command in COMMANDS), "--help"}
    assert completed("experiments", "st") == {"start", "stop"}
    assert completed("experiments", "start", "--rea") == {"--reason"}
    assert completed("label", "--source", "") == {"user", "audit", "ground_truth"}
    assert completed("predict", "se") == {"security.md", "settings.md", "seven.png"}
    assert completed("improve", "--run", "scr") == {"screenshots"}
    assert completed("completion", "") == {*SHELLS, "--help"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert all(command.name in text for command in COMMANDS)
    assert "uncertainty" in text
