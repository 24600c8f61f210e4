"""The gateway beside another commit of it, and beside programs that people would write instead.

    python -m benchmarks.serving [--against COMMIT | --against-checkout DIR] [--quick] [--rounds N] [--seconds N]
                                 [--only NAMES] [--loads NAMES] [--starts N]

Needs published models (`make train`), wrk, and the peers' environment in `.venv-peers`. All servers answer from the
same SavedModel and share the machine with wrk; while one is measured the others are stopped. Prints tables, and the
goals; writes all figures to `runs/bench-serving.json`.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from benchmarks.serving import against, report, wrk
from benchmarks.serving.bodies import write_bodies
from benchmarks.serving.goals import goals
from benchmarks.serving.rounds import GATEWAYS, LOADS, Measured, check, measure
from benchmarks.serving.servers import AGAINST, GATEWAY, SERVERS, Server, started, write_models
from benchmarks.serving.starts import measure_starts
from training.data import load

QUICK_LOADS = ["json:1", "json:64", "png:64"]


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that no stopped server stays behind
    if not wrk.installed():
        sys.exit("wrk makes the load, and it is not installed. On Debian: apt-get install wrk")
    with other_commit(arguments) as other:
        gateways = {GATEWAY: SERVERS[GATEWAY], AGAINST: other} if other else {}
        servers = {**gateways, **{name: SERVERS[name] for name in arguments.only}}
        seen = run(arguments, servers)
    found = list(goals(seen))
    print(report.table(seen, servers, found))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report.as_json(seen, found, arguments.variant), indent=1))
    print(f"\nAll figures: {arguments.output}")


def run(arguments: argparse.Namespace, servers: dict[str, Server]) -> Measured:
    """Measure all loads on all servers, then the gateways' starts if there are two."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bodies = write_bodies(load(arguments.data).test_images, folder)
        write_models(arguments.models.resolve(), arguments.variant, folder / "models")
        loads = [LOADS[each] for each in arguments.loads]
        with started(servers, folder / "models", bodies["json"].bodies[0]) as running:
            check(running, bodies)
            seen = measure(running, bodies, loads, arguments.rounds, arguments.seconds)
        if AGAINST in servers:
            gateways = {name: servers[name] for name in GATEWAYS}
            seen.starts = measure_starts(gateways, folder / "models", arguments.starts)
    return seen


def other_commit(arguments: argparse.Namespace) -> AbstractContextManager[Server | None]:
    """Return the gateway to compare with, if one was named."""
    if arguments.against:
        return against.commit(arguments.against)
    return nullcontext(against.checkout(arguments.against_checkout) if arguments.against_checkout else None)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.splitlines()[0])
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--against", metavar="COMMIT", help="of this repository, to compare with")
    other.add_argument("--against-checkout", type=Path, metavar="DIR", help="the same, with its environment in .venv")
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 5; quick: 2)")
    parser.add_argument("--seconds", type=int, metavar="N", help="of each measurement (default: 5; quick: 1)")
    parser.add_argument("--starts", type=int, metavar="N", help="of either commit (default: 5; quick: 1)")
    parser.add_argument("--only", type=names_of(SERVERS), default=list(SERVERS), metavar="NAMES",
                        help=f"servers, by commas: {', '.join(SERVERS)}")  # fmt: skip
    parser.add_argument("--loads", type=names_of(LOADS), metavar="NAMES", help=f"by commas: {', '.join(LOADS)}")
    parser.add_argument("--quick", action="store_true", help="two minutes: fewer loads")
    parser.add_argument("--variant", default="l2", help="from which all servers answer (default: %(default)s)")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/bench-serving.json"), metavar="FILE",
                        help="(default: %(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 5)
    arguments.starts = arguments.starts or (1 if arguments.quick else 5)
    arguments.loads = arguments.loads or (QUICK_LOADS if arguments.quick else list(LOADS))
    return arguments


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return a reader of names between commas that refuses any but the `known`."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r}; there are {', '.join(known)}")
        return names

    return read


if __name__ == "__main__":
    main()
