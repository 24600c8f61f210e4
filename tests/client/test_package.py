import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from testing.machine import ROOT

FOLDER = ROOT / "clients" / "python"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
UV = Path(sys.executable).with_name("uv")


def test_it_has_the_repositorys_version_and_needs_requests_alone() -> None:
    assert PROJECT["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert [requirement.partition(">=")[0] for requirement in PROJECT["dependencies"]] == ["requests"]


@pytest.mark.slow
def test_its_wheel_is_installed_by_itself_and_imports_requests_with_the_first_call(tmp_path: Path) -> None:
    environment, python = tmp_path / "environment", tmp_path / "environment/bin/python"
    for command in (
        (UV, "build", "--quiet", "--offline", "--wheel", "--out-dir", tmp_path, FOLDER),
        (UV, "venv", "--quiet", "--offline", "--python", sys.executable, environment),
        (UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python,
         tmp_path / f"dropserve_client-{PROJECT['version']}-py3-none-any.whl"),
    ):  # fmt: skip
        subprocess.run(command, check=True)
    subprocess.run([python, "-c", "import dropserve; dropserve.Client()"], check=True)  # there is no requests
    done = subprocess.run([environment / "bin/dropserve", "completion", "bash"], check=True, capture_output=True)
    assert b"complete -o filenames -F _dropserve dropserve" in done.stdout
    assert (next(environment.glob("lib/*/site-packages")) / "dropserve/py.typed").exists()
