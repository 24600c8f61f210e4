"""Check the locks, and their installation by several pips at a time."""

import importlib.util
import os
import re
import subprocess

import pytest
from packaging.markers import Marker

from testing.machine import ROOT

FOLDER = ROOT / "requirements"
LOCKS = sorted(FOLDER.glob("*.txt"))
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64"}
MAC = {"sys_platform": "darwin", "platform_machine": "arm64"}

spec = importlib.util.spec_from_file_location("install", FOLDER / "install.py")
assert spec and spec.loader
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)


def test_every_requirement_is_found_once() -> None:
    lines = {line.rstrip(" \\") for lock in LOCKS for line in lock.read_text().splitlines() if re.match(r"\w", line)}
    found = install.requirements(LOCKS)
    assert {requirement.splitlines()[0].rstrip(" \\") for requirement in found} == lines
    assert all("--hash=sha256:" in requirement for requirement in found)


@pytest.mark.parametrize("count", [1, 3, 500])
def test_shares_are_the_whole(count: int) -> None:
    requirements = install.requirements(LOCKS)
    shares = install.shares(requirements, count)
    assert len(shares) <= count and all(shares)
    assert sorted(requirement for share in shares for requirement in share) == requirements


@pytest.mark.parametrize(("machine", "name"), [(LINUX, "tensorflow-cpu"), (MAC, "tensorflow")])
@pytest.mark.parametrize("lock", ["dev", "training", "model-server", "peers"])
def test_a_lock_installs_one_tensorflow(lock: str, machine: dict[str, str], name: str) -> None:
    found = re.findall(r"^(tensorflow(?:-cpu)?)==\S+(?: ; (.*?))? \\$", (FOLDER / f"{lock}.txt").read_text(), re.M)
    assert [package for package, marker in found if not marker or Marker(marker).evaluate(machine)] == [name]


def test_python_keeps_the_bytecode_that_no_package_brings() -> None:
    done = subprocess.run(
        ["make", "--silent", "--eval=environment: ; @env", "environment"],
        cwd=ROOT, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "PATH=" in done.stdout
    assert "PYTHONDONTWRITEBYTECODE" not in done.stdout
