"""Plugin of `make test-quick`: leaves out tests that need a database, and files whose imports take seconds."""

import re
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

SLOW_FOLDERS = ("browser", "docker")
SLOW_PACKAGES = ("tensorflow", "statsmodels", "scipy.stats")
DATABASES = {"database_url", "bare_database_url", "postgresql_server"}
SLOW_FILE = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.M)


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of whole applications: each of them has a database of its own."""
    quick, left_out = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (left_out if DATABASES.intersection(getattr(item, "fixturenames", ())) else quick).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = quick
