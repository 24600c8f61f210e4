"""Another commit of this repository, checked out with an environment of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.servers import Server, gateway
from testing.machine import ROOT

ENVIRONMENT = ".venv/.serve"  # the Makefile's target, in either commit


@contextmanager
def commit(name: str) -> Iterator[Server]:
    """Check a commit out into a temporary folder, make its environment there, and remove both at the end."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "checkout")
        _run("git", "worktree", "add", "--detach", str(folder), name)
        try:
            _run("make", "-C", str(folder), ENVIRONMENT, f"PYTHON={sys.executable}")
            yield checkout(folder, f"commit {name}")
        finally:
            _run("git", "worktree", "remove", "--force", str(folder))


def checkout(folder: Path, title: str | None = None) -> Server:
    """Return the gateway of a checkout whose environment exists; end the benchmark where there is none."""
    python = folder.absolute() / ".venv" / "bin" / "python"
    if not python.exists():
        sys.exit(f"There is no environment in {folder}; make it: make -C {folder} {ENVIRONMENT}")
    return gateway(title or f"the gateway in {folder.name}", folder.absolute(), python)


def _run(*command: str) -> None:
    """Run a command in the repository; end the benchmark where it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {done.returncode}")
