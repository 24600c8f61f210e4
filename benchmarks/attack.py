"""Attack a running gateway: made-up requests, damaged images, bombs, and one attack for each known weakness.

    python -m benchmarks.attack [PART …] [--examples N] [--images N] [--seed N]

Starts gunicorn with two workers over a made-up model server. Without names all parts run. A steady client keeps to its
pace beside each attack on a weakness. Ends with exit code 1 where an answer is not right, a worker is lost or takes too
much memory, or the steady client gets an error or waits.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from testing.attack import api, images
from testing.attack.gateways import running
from testing.attack.images import MOST_MEMORY
from testing.attack.measure import Outcome, measure
from testing.attack.parts import PARTS

SHOWN = 12  # faults of a part
WIDTH = 200  # characters of a fault


def main() -> int:
    """Run the parts and print their figures; return the exit code."""
    arguments = parse(sys.argv[1:])
    lines, good = list[str](), True
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        others: Mapping[str, Callable[[], bool]] = {
            "api": lambda: attack_api(arguments.examples, report, arguments.seed),
            "images": lambda: attack_images(arguments.images, arguments.seed),
        }
        for name in arguments.parts:
            if name in others:
                passed = others[name]()
                lines.append(f"{verdict(passed):5} {name}")
            else:
                outcome = measure(PARTS[name])
                passed = not outcome.faults
                lines.append(row(name, outcome))
                print(f"{lines[-1]}\n{detail(outcome)}", flush=True)
            good &= passed
    print("", TITLE, *lines, sep="\n")
    return 0 if good else 1


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the words of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attack", description=__doc__.splitlines()[0])
    known = ["api", "images", *PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"(default: all of {', '.join(known)})")
    parser.add_argument("--examples", type=int, default=250, metavar="N", help="an operation (default: %(default)s)")
    parser.add_argument(
        "--images", type=int, default=100_000, metavar="N", help="damaged images (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything made up (default: %(default)s)")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.parts if name not in known]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(known)}")
    arguments.parts = arguments.parts or known
    return arguments


def attack_api(examples: int, report: Path, seed: int) -> bool:
    """Send requests that the API's description allows or forbids; say whether it holds for all answers."""
    with running() as gateway:
        workers = set(gateway.workers())
        came = api.attack(gateway, examples, report, seed)
        lost = len(workers - set(gateway.workers()))
    print(f"API: {came.cases:,} requests, {lost} workers lost, {'failures:' if came.failures else 'no failure'}")
    print(came.failures, flush=True)
    return not came.failures and not lost


def attack_images(count: int, seed: int) -> bool:
    """Send damaged images; say whether all were answered, and memory stayed below MOST_MEMORY."""
    with running() as gateway:
        came = images.attack(gateway, count, seed)
    memory = f"a worker's memory {came.peak / 1e6:.0f} MB at its worst, {came.left / 1e6:.0f} MB in the end"
    print(f"Images: {listed(came.statuses)}; {came.lost} workers lost; {memory}")
    print(*came.faults, sep="\n", end="", flush=True)
    return not came.faults and not came.lost and came.peak < MOST_MEMORY


TITLE = f"{'':5} {'part':13} {'p99 ms':>8} {'attacked':>9} {'ratio':>7} {'errors':>7} {'MB':>5} {'s':>5}  answers"


def row(name: str, outcome: Outcome) -> str:
    """Return the line of a part in the summary."""
    steady = f"{'–':>8} {'–':>9} {'–':>7} {'–':>7}"
    if outcome.undisturbed and outcome.during:
        before, during = outcome.undisturbed.p99_ms, outcome.during.p99_ms
        steady = f"{before:8.1f} {during:9.1f} {during / before:6.1f}× {outcome.during.errors.total():7}"
    told = f"{outcome.peak / 1e6:5.0f} {outcome.seconds:5.0f}  {listed(outcome.seen.statuses)}"
    return f"{verdict(not outcome.faults):5} {name:13} {steady} {told}"


def detail(outcome: Outcome) -> str:
    """Return the notes and the first faults of a part, a line each."""
    faults = Counter(fault[:WIDTH] for fault in outcome.faults)
    shown = [f"  not right: {fault}{f'   ({times}×)' if times > 1 else ''}" for fault, times in faults.items()]
    more = [f"  … and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    return "\n".join([*(f"  {note}" for note in outcome.seen.notes), *shown[-SHOWN:], *more])


def listed(statuses: Counter[int]) -> str:
    """Return answers by status; an answer that did not come has none."""
    named = sorted((f"{status or 'none'}", times) for status, times in statuses.items())
    return ", ".join(f"{status} × {times:,}" for status, times in named)


def verdict(passed: bool) -> str:
    """Return the word for it."""
    return "PASS" if passed else "FAIL"


if __name__ == "__main__":
    sys.exit(main())
