"""Check the locks, and their installation by several pips at a time."""

import importlib.util
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

from testing.machine import ROOT

FOLDER = ROOT / "requirements"
DOCKERFILES = [ROOT / "serving" / "Dockerfile", ROOT / "training" / "Dockerfile"]
IMAGES = re.compile(r"\$\{(DROPSERVE_\w+_IMAGE):-([^}]+)\}")
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
@pytest.mark.parametrize("lock", ["dev", "training", "model-server", "peers", "ray"])
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


def test_no_package_is_built_here() -> None:
    """A source distribution would fetch a build backend that nothing pins."""
    assert "--only-binary=:all:" in install.PIP
    for file in DOCKERFILES:
        (*commands,) = re.findall(r"pip (?:--python \S+ )?install(?:.*\\\n)*.*", file.read_text())
        assert commands
        assert all("--only-binary=:all:" in command and "--require-hashes" in command for command in commands)


def test_a_pip_that_a_signal_ended_has_failed(tmp_path: Path) -> None:
    """Else make would take the environment for a whole one."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    lock = tmp_path / "lock.txt"
    lock.write_text("one==1\n")
    command = [sys.executable, str(FOLDER / "install.py"), str(tmp_path / "environment"), str(lock)]
    assert subprocess.run(command).returncode == 9


def test_every_image_can_be_pinned() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    own = re.findall(r"^ +image: (?!dropserve/)(.+)$", compose, re.M)
    assert all(image.startswith("${DROPSERVE_") for image in own)
    (python,) = {image for name, image in IMAGES.findall(compose) if name == "DROPSERVE_PYTHON_IMAGE"}
    for file in DOCKERFILES:
        text = file.read_text()
        assert f"ARG PYTHON_IMAGE={python}\n" in text
        assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${PYTHON_IMAGE}"}


def test_images_are_pinned_in_the_settings(tmp_path: Path) -> None:
    """Stand in for Docker, since tests reach no registry."""
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\ncase "$*" in *tensorflow*) exit 1;; pull*) echo fetched;; *) echo "a/b@sha256:12";; esac\n'
    )
    docker.chmod(0o755)
    (tmp_path / ".env").write_text("GATEWAY_WORKERS=1\nDROPSERVE_PYTHON_IMAGE=python@sha256:old\n")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, str(FOLDER / "pin_images.py"), f"{tmp_path}/.env"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "tensorflow/serving:2.21.0 cannot be fetched; DROPSERVE_TF_SERVING_IMAGE stays as it is" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "docker"]
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[0] == "GATEWAY_WORKERS=1"
    assert [re.sub(":.*@", ":TAG@", line) for line in lines[1:]] == [
        "DROPSERVE_GRAFANA_IMAGE=grafana/grafana:TAG@sha256:12",
        "DROPSERVE_POSTGRES_IMAGE=postgres:TAG@sha256:12",
        "DROPSERVE_PROMETHEUS_IMAGE=prom/prometheus:TAG@sha256:12",
        "DROPSERVE_PYTHON_IMAGE=python:TAG@sha256:12",
    ]
