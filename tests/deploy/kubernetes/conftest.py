import copy
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from testing.machine import ROOT
from tests.deploy.kubernetes.objects import Object

FOLDER = ROOT / "deploy" / "kubernetes"
TOOLS = ROOT / ".venv-manifests" / "bin"

Rendered = Callable[[str], list[Object]]


@cache
def text_of(name: str) -> str:
    """Return a kustomization of deploy/kubernetes/ as kubectl renders it."""
    command = [str(TOOLS / "kubectl"), "kustomize", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def rendered() -> Rendered:
    """A function that returns the objects of a kustomization, which the test may change."""
    return lambda name: copy.deepcopy(objects_of(name))


@cache
def objects_of(name: str) -> list[Object]:
    """Return the objects of a kustomization."""
    return [each for each in yaml.safe_load_all(text_of(name)) if each]


def kustomizations() -> list[str]:
    """Return the names of all that can be applied; base is none of them."""
    files = [file for folder in ("overlays", "jobs") for file in FOLDER.glob(f"{folder}/*/kustomization.yaml")]
    return sorted(str(Path(file).parent.relative_to(FOLDER)) for file in files)
