"""The settings of `python -m serving`, and of `make` from a file `.env`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.__main__ import main, other_folders, reachable, settings

ROOT = Path(__file__).parents[1]
# As people write them: without quotes for `&`, which a shell would take for itself.
FILE = """\
# GATEWAY_WORKERS=4
GATEWAY_DATABASE_URL=postgresql://db/digits?sslmode=verify-full&sslrootcert=/ca.pem
GATEWAY_WEBHOOK_SECRET="whsec_NEW whsec_OLD"
GATEWAY_ADMIN_TOKEN='pa$$word-${with}-#-in-it'
GATEWAY_PORT=8081
"""


def test_make_takes_settings_from_a_file_but_for_those_of_its_caller(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(FILE)
    done = subprocess.run(
        ["make", "--silent", "--file", ROOT / "Makefile", f"BIN={Path(sys.executable).parent}",
         "--eval=environment: ; @$(WITH_SETTINGS) env", "environment"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_PORT": "9090"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("GATEWAY_"))
    assert found == {
        "GATEWAY_DATABASE_URL": "postgresql://db/digits?sslmode=verify-full&sslrootcert=/ca.pem",
        "GATEWAY_WEBHOOK_SECRET": "whsec_NEW whsec_OLD",
        "GATEWAY_ADMIN_TOKEN": "pa$$word-${with}-#-in-it",
        "GATEWAY_PORT": "9090",
    }


@pytest.mark.parametrize(
    ("listened_on", "reached_at"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("[::]", "[::1]"),
        ("::1", "[::1]"),
        ("[fd00::7]", "[fd00::7]"),
        ("localhost", "localhost"),
    ],
)
def test_the_gateway_is_asked_where_it_listens(listened_on: str, reached_at: str) -> None:
    assert reachable(listened_on) == reached_at


@pytest.mark.parametrize("path", ["", "mine.sock"])
def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """`.env.example` has such lines."""
    monkeypatch.setenv("MODEL_SERVER_GRPC_SOCKET_PATH", path)
    monkeypatch.setenv("GATEWAY_PORT", "")
    found = settings(Path("models"), Path("own.sock"))
    assert found["MODEL_SERVER_GRPC_SOCKET_PATH"] == (path or "own.sock")
    assert found["GATEWAY_MODEL_SERVER"] == f"unix:{path or 'own.sock'}"
    assert found["GATEWAY_PORT"] == "8080"


def test_the_models_of_a_copied_folder_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """models.config has absolute paths, so the model server would load the originals."""
    config = tmp_path / "models.config"
    config.write_text(f'config {{ name: "l2" base_path: "{tmp_path}/l2" }}')
    assert other_folders(tmp_path) == []
    config.write_text('config { name: "l2" base_path: "/elsewhere/models/l2" }')
    monkeypatch.setattr(sys, "argv", ["serving", f"--models={tmp_path}"])
    assert main() == 2
    assert "models.config names models in /elsewhere/models, as in a copy of that folder" in capsys.readouterr().err


def test_what_is_trained_is_served(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["serving", "--train", "--models", "other"])
    with pytest.raises(SystemExit):
        main()
    assert "name --models before --train, or set GATEWAY_MODELS_DIR" in capsys.readouterr().err
