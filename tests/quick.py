"""Plugin of `make test-quick`: leaves out test files whose imports alone would take longer than all quick tests."""

import re
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

SLOW_FOLDERS = ("browser", "docker")
SLOW_PACKAGES = ("tensorflow", "statsmodels", "scipy.stats")
SLOW_FILE = re.compile(r"^pytestmark = pytest\.mark\.slow$", re.M)


class SkipSlowImports(MetaPathFinder):
    """Skips a test file as soon as it imports one of SLOW_PACKAGES."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Find no module itself; raise Skipped for a slow package."""
        if name in SLOW_PACKAGES:
            raise pytest.skip.Exception(f"not quick: importing {name} takes seconds", allow_module_level=True)


def pytest_configure() -> None:
    """Watch all imports from now on."""
    sys.meta_path.insert(0, SkipSlowImports())


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out folders and files that are slow as a whole."""
    if collection_path.name in SLOW_FOLDERS:
        return True
    if not collection_path.name.startswith("test_"):
        return None
    return bool(SLOW_FILE.search(collection_path.read_text())) or None
