"""Run wrk, which sends the next request on a connection as soon as it has the answer to the last."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from benchmarks.serving.bodies import Bodies

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Result:
    """The figures of one run of wrk."""

    rate: float  # requests a second
    p50_ms: float
    p99_ms: float
    requests: int


def run(
    url: str, bodies: Bodies, connections: int, seconds: float, headers: Mapping[str, str] = MappingProxyType({})
) -> Result:
    """Load `url` over so many connections; raise RuntimeError if an answer fails to come or is no success."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", f"--script={SCRIPT}", url]
    output = subprocess.run(
        [*command, "--", str(bodies.file), *chain(("Content-Type", bodies.content_type), *headers.items())],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    said = json.loads(output.splitlines()[-1])
    if said["bad_answers"] or said["broken"] or not said["requests"]:
        raise RuntimeError(
            f"{url}, {connections} connections: of {said['requests']} requests {said['bad_answers']} were answered "
            f"with an error and {said['broken']} not at all"
        )
    return Result(said["requests"] / said["seconds"], said["p50_ms"], said["p99_ms"], said["requests"])


def installed() -> bool:
    """Say whether wrk is installed."""
    return shutil.which("wrk") is not None
