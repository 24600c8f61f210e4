"""Processes that are forked from a warm one behave as those that are started the ordinary way."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from testing.waiting import PATIENCE
from testing.warm import WarmProcess, run

pytestmark = pytest.mark.slow
PROGRAM = """
import os, signal, sys, time
print(sys.argv[1:], os.environ["WORD"], __name__, "tensorflow" in sys.modules, flush=True)
print("an error", file=sys.stderr, flush=True)
if "wait" in sys.argv:
    signal.pause()
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that tells what it was given."""
    (tmp_path / "told.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    return "told"


def test_a_program_gets_its_arguments_and_environment_and_ends_with_its_code(program: str) -> None:
    done = run(program, "--number", 7, env={"WORD": "hello"})
    assert done.returncode == 3
    assert done.stdout == "['--number', '7'] hello __main__ True\n"
    assert done.stderr == "an error\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_gets_signals(program: str, number: signal.Signals) -> None:
    with WarmProcess(program, "wait", env={**os.environ, "WORD": "x"}, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline().startswith(b"['wait'] x")
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number
