"""Attack the API with schemathesis: requests that its description allows, and requests that it forbids."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import requests

from testing.api import ADMIN, ADMIN_TOKEN
from testing.attack.hooks import IDS
from testing.machine import ROOT
from testing.running_gateway import Gateway

CONFIG, HOOKS = (Path(__file__).parent / name for name in ("schemathesis.toml", "hooks.py"))
LIVES = {"drafted": (), "running": ("start",), "archived": ("start", "stop", "archive")}


class Attacked(NamedTuple):
    """The number of requests, and the tool's report of failures, empty if there are none."""

    cases: int
    failures: str


def attack(gateway: Gateway, examples: int, report: Path, seed: int = 1, paths: str = "") -> Attacked:
    """Make about `examples` requests an operation, and more of the tool's own; let it write `report`.

    Attack the paths that match the expression `paths`, all if it is empty.
    """
    ids = _prepare(gateway.url)
    known = {"ADMIN_TOKEN": ADMIN_TOKEN, "SCHEMATHESIS_HOOKS": str(HOOKS), "PYTHONPATH": str(ROOT), IDS: ",".join(ids)}
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}", "run", ROOT / "docs/openapi.json",
            f"--url={gateway.url}", f"--max-examples={examples}", f"--seed={seed}", "--continue-on-failure",
            "--generation-database=none", "--warnings=off", "--no-shrink", f"--report-json-path={report}",
            *([f"--include-path-regex={paths}"] if paths else ()),
        ],
        env={**os.environ, **known}, cwd=report.parent, capture_output=True, text=True,
    )  # fmt: skip
    cases = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return Attacked(cases, done.stdout + done.stderr if done.returncode else "")


def _prepare(url: str) -> list[str]:
    """Make experiments of the names that the configuration tries; return ids of predictions."""
    for name, steps in LIVES.items():
        spec = {"name": name, "control": "plain", "arms": [{"variant": v, "weight": 0.5} for v in ("plain", "dropout")]}
        requests.post(f"{url}/experiments", json=spec, headers=ADMIN, timeout=10).raise_for_status()
        for step in steps:
            requests.post(f"{url}/experiments/{name}/{step}", headers=ADMIN, timeout=10).raise_for_status()
    headers = {"Content-Type": "application/octet-stream"}
    answer = requests.post(f"{url}/predict", data=bytes(784 * 50), headers=headers, timeout=10).json()
    return [prediction["id"] for prediction in answer["predictions"]]
