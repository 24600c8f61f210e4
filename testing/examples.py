"""Look at what examples in the docs print, and at commands that are not run."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from testing import warm
from testing.machine import ROOT


def form(line: str) -> Any:
    """Return the form of a printed line: names and types of JSON, or the words without a digit or a sign."""
    try:
        return shape(json.loads(line))
    except ValueError:
        return [word for word in line.split() if word.isalpha()]


def shape(value: Any) -> Any:
    """Return names and types of JSON; null stands for any."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def look_at_commands(log: Path) -> None:
    """Check that each target and each option exists of commands that were not run; `log` has one a line."""
    for line in log.read_text().splitlines():
        program, *words = shlex.split(line)
        if Path(program).name == "make":
            command: list[str | Path] = ["make", "--dry-run", "--no-print-directory", "-C", ROOT, *words]
            printed = subprocess.run(command, capture_output=True, text=True)
            assert printed.returncode == 0, printed.stderr
            given = " ".join(word.removeprefix("ARGS=") for word in words if word.startswith("ARGS="))
            if given:
                passed = [each for each in printed.stdout.splitlines() if given in each]
                assert passed, f"{line} does not pass {given} on"
                look_at_options(passed[-1], given)
        elif program.endswith("python") and words[0] == "-m":
            look_at_options(shlex.join([program, *words]), shlex.join(words))


def look_at_options(command: str, given: str) -> None:
    """Check that the `--help` of a module that a command runs lists the options that were given."""
    module, *words = command.rpartition("-m ")[2].split()
    subcommand = [word for word in words[:1] if re.fullmatch("[a-z]+", word)]
    text = help_of(module, *subcommand)
    for option in re.findall(r"(?<!\S)--[a-z-]+", given):
        assert option in text, f"{module} has no {option}"


def help_of(module: str, *subcommand: str) -> str:
    """Return what a module prints with `--help`."""
    return warm.run(module, *subcommand, "--help").stdout
