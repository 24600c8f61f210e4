"""Install lock files into an environment, by several pips at a time: finding a package takes longer than fetching it.

python requirements/install.py ENVIRONMENT LOCK…
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# No dependency needs to be resolved: a lock names every package. Only wheels are installed: a source distribution would
# fetch a build backend that nothing pins. Python compiles the few modules that are imported.
PIP = (
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-compile",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
)
SHARES = min(max(2, os.cpu_count() or 1), 8)  # each pip takes memory


def main() -> int:
    """Install the locks that the command line names; return the exit code of a pip that failed, else 0."""
    environment, *locks = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for number, share in enumerate(shares(requirements(locks), SHARES)):
            part = Path(folder) / f"{number}.txt"
            part.write_text("".join(share))
            running.append(subprocess.Popen([environment / "bin" / "python", *PIP, "-r", part]))
        return max(abs(pip.wait()) for pip in running)  # below 0 where a signal ended it


def requirements(locks: Sequence[Path]) -> list[str]:
    """Return the requirements of all locks with their hashes, each once, in the order of their names."""
    found = {requirement for lock in locks for requirement in re.findall(r"^\w.*(?:\n +.*)*\n", lock.read_text(), re.M)}
    return sorted(found)


def shares(all_requirements: Sequence[str], count: int) -> list[Sequence[str]]:
    """Return the requirements in `count` shares or fewer, none of them empty and no package in two of them."""
    return [share for i in range(count) if (share := all_requirements[i::count])]


if __name__ == "__main__":
    sys.exit(main())
