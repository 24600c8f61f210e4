"""Load a gateway at a fixed rate, and tell the percentiles of its answers. `make load`.

    python -m benchmarks.load --target URL --confirm HOST --rate N [--seconds N] [--connections N] [--body KIND]

The target is named twice: nobody loads a service by a slip of the hand. Requests go out at their moments, whether
answers come or not, and the time of each counts from its moment. LOAD_KEY in the environment is the key to send.
Writes the distribution to `runs/load.hgrm`, which HdrHistogram's plotters read. Ends with exit code 1 where one failed.
"""

import argparse
import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from hdrh.histogram import HdrHistogram

from benchmarks.serving.bodies import write_bodies
from testing.digits import digits
from testing.http_load import post
from testing.open_loop import BROKEN, Load, TimedAnswers

IMAGES = 100  # drawn, each a body
PERCENTILES = (50, 90, 99, 99.9, 99.99, 100)
MOST_SECONDS, MOST_RATE, MOST_CONNECTIONS = 3600, 20_000, 900  # select() takes 1,024 files
LAST_SECONDS = 10.0  # that answers under way at the end may take
LONGEST = 3_600_000_000  # microseconds
DIGITS = 3  # significant, of each time


class Target(NamedTuple):
    """The address of a gateway."""

    host: str
    port: int
    tls: bool
    name: str  # of its Host header


def main() -> int:
    """Load the target and print; return the exit code."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        bodies = write_bodies(digits(IMAGES, seed=1)[0], Path(folder))[arguments.body]
    target, key = arguments.target, os.environ.get("LOAD_KEY")
    fields = [f"Authorization: Bearer {key}"] if key else []
    requests = [post("/predict", body, bodies.content_type, *fields, host=target.name) for body in bodies.bodies]
    context = ssl.create_default_context() if target.tls else None
    try:
        load = Load(target.port, requests, arguments.connections, arguments.rate, host=target.host, tls=context)
    except OSError as error:
        print(f"load: {target.name} cannot be reached: {error}", file=sys.stderr)
        return 1
    seen = load.run(arguments.seconds)
    last = load.finish(LAST_SECONDS)
    all_answers = TimedAnswers(seen.statuses + last.statuses, seen.times + last.times)
    due = int(arguments.rate * arguments.seconds)
    print("\n".join(report(all_answers, due, arguments.seconds)))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with arguments.output.open("wb") as file:
        histogram(all_answers.times).output_percentile_distribution(file, 1000)
    print(f"The whole distribution, in milliseconds: {arguments.output}")
    return 1 if all_answers.errors or all_answers.statuses.total() < due else 0


def report(seen: TimedAnswers, due: int, seconds: float) -> Iterator[str]:
    """Yield the lines of the report on requests of which `due` had to be sent."""
    sent = seen.statuses.total()
    yield f"{sent:,} requests in {seconds:g} s, {sent / seconds:,.0f} a second"
    if sent < due:
        yield f"{due - sent:,} more were due and not sent: the target, or this machine, is slower than the rate."
    for status, number in sorted(seen.statuses.items()):
        yield f"{'no answer' if status == BROKEN else status:>10} {number:>10,}"
    times = histogram(seen.times)
    for percentile in PERCENTILES:
        name = "longest" if percentile == 100 else f"p{percentile}"
        yield f"{name:>10} {times.get_value_at_percentile(percentile) / 1000:>10,.2f} ms"


def histogram(times: Sequence[float]) -> HdrHistogram:
    """Return a histogram of times in seconds, as microseconds."""
    found = HdrHistogram(1, LONGEST, DIGITS)
    for each in times:
        found.record_value(max(1, round(each * 1e6)))
    return found


def parse(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; end with exit code 2 where the target is not named twice."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.splitlines()[0])
    parser.add_argument("--target", type=target, required=True, metavar="URL", help="such as http://127.0.0.1:8080")
    parser.add_argument(
        "--confirm", default="", metavar="HOST", help="the URL's host, and its port if it has one, again"
    )
    parser.add_argument("--rate", type=bounded(MOST_RATE), required=True, metavar="N", help="requests a second")
    parser.add_argument("--seconds", type=bounded(MOST_SECONDS), default=30, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--connections", type=bounded(MOST_CONNECTIONS), default=64, metavar="N",
                        help="(default: %(default)s)")  # fmt: skip
    parser.add_argument("--body", choices=["json", "png"], default="png", help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/load.hgrm"), metavar="FILE",
                        help="(default: %(default)s)")  # fmt: skip
    arguments = parser.parse_args(given)
    name = arguments.target.name
    if arguments.confirm != name:
        parser.error(
            f"{name} would get {arguments.rate:,} requests a second for {arguments.seconds} s. "
            f"If it is yours to load, name it twice: --confirm {name}"
        )
    return arguments


def target(text: str) -> Target:
    """Read the URL of a gateway; raise ArgumentTypeError for another text."""
    url = urlsplit(text)
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} has no port between 1 and 65535") from error
    if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/") or url.query or "@" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as https://digits.example.org")
    return Target(url.hostname, port, url.scheme == "https", url.netloc)


def bounded(most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from 1 to `most`."""

    def read(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between 1 and {most:,}")
        return int(text)

    return read


if __name__ == "__main__":
    sys.exit(main())
