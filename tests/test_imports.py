"""Folders import only what they may: stages meet on disk, and only tests know of tests."""

import ast
import functools
from pathlib import Path

import pytest

from testing.machine import ROOT

FORBIDDEN = {
    "training": {"serving", "testing", "tests", "benchmarks"},
    "serving": {"training", "testing", "tests", "benchmarks"},
    "serving/gateway": {"tensorflow", "tensorflow_serving", "keras"},
    "serving/model_server": {"serving.gateway"},
    "testing": {"tests", "benchmarks"},
    "benchmarks": {"tests"},
}


@functools.cache  # two folders are inside another
def imported(file: Path) -> list[str]:
    """Name all modules that a file imports, at its top or later."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@pytest.mark.parametrize("folder", FORBIDDEN)
@pytest.mark.slow
def test_a_folder_imports_only_the_ones_it_may(folder: str) -> None:
    found = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in (ROOT / folder).rglob("*.py")
        for module in imported(file)
        if any(f"{module}.".startswith(f"{name}.") for name in FORBIDDEN[folder])
    }
    assert found == set()
