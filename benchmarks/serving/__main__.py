"""The gateway beside what people would write instead: `make bench-serving`.

    python -m benchmarks.serving [--quick] [--rounds N] [--seconds N] [--only NAMES] [--loads NAMES]

Needs published models (`make train`), wrk, and the peers' environment in `.venv-peers`. All servers answer from the
same SavedModel and share the machine with wrk; while one is measured the others are stopped. Prints a table, and the
goals; writes all figures to `runs/bench-serving.json`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks.serving import report, wrk
from benchmarks.serving.bodies import write_bodies
from benchmarks.serving.goals import MEMORY_REQUESTS, goals
from benchmarks.serving.rounds import LOADS, check, fill_up, measure
from benchmarks.serving.servers import GATEWAY, SERVERS, started, write_models
from training.data import load

QUICK_LOADS = ["json:1", "json:64", "png:64"]


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    if not wrk.installed():
        sys.exit("wrk makes the load, and it is not installed. On Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bodies = write_bodies(load(arguments.data).test_images, folder)
        write_models(arguments.models.resolve(), arguments.variant, folder / "models")
        loads = [LOADS[each] for each in arguments.loads]
        with started(arguments.only, folder / "models", bodies["json"].bodies[0]) as servers:
            check(servers, bodies)
            seen = measure(servers, bodies, loads, arguments.rounds, arguments.seconds)
            if arguments.memory and GATEWAY in servers:
                fill_up(servers[GATEWAY], bodies["json"], seen, MEMORY_REQUESTS)
    found = list(goals(seen))
    print(report.table(seen, found))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report.as_json(seen, found, arguments.variant), indent=1))
    print(f"\nAll figures: {arguments.output}")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 5; quick: 2)")
    parser.add_argument("--seconds", type=int, metavar="N", help="of each measurement (default: 5; quick: 1)")
    parser.add_argument("--only", type=names_of(SERVERS), default=list(SERVERS), metavar="NAMES",
                        help=f"servers, by commas: {', '.join(SERVERS)}")  # fmt: skip
    parser.add_argument("--loads", type=names_of(LOADS), metavar="NAMES", help=f"by commas: {', '.join(LOADS)}")
    parser.add_argument("--quick", action="store_true", help="a minute: fewer loads, and no 100,000 requests")
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="leave the 100,000 requests out")
    parser.add_argument("--variant", default="l2", help="which all servers answer from (default: %(default)s)")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/bench-serving.json"), metavar="FILE",
                        help="(default: %(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 5)
    arguments.loads = arguments.loads or (QUICK_LOADS if arguments.quick else list(LOADS))
    arguments.memory &= not arguments.quick
    return arguments


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return what reads names between commas, and refuses those that are not `known`."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r}; there are {', '.join(known)}")
        return names

    return read


if __name__ == "__main__":
    main()
