"""Close the circle on digits of other hands: traffic, labels, candidate, experiment, promotion.

    python -m benchmarks.learning [--models DIR] [--data DIR] [--labels N,N] [--seed N] [--judged N]
                                  [--seeds N | --wrong {random,ones} | --stream mnist] [--postgresql]

Starts the services with a new store over a copy of the models. Half of UCI's pendigits is traffic with labels, each row
a unit; the other half is never labelled, and measures accuracy. Rows are disjoint; writers cannot be told apart.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests

from benchmarks.learning import pendigits
from benchmarks.learning.circle import PNG, RAW, Circle, serving
from training.data import ImageSet, load

STAGES = (50, 100, 200, 500)
ENDED = ("ship", "roll_back", "equivalent", "inconclusive", "guardrail_broken", "unhealthy")
WRONG = 0.2  # share of the labels that --wrong=random makes wrong
Table = dict[int, tuple[float, float]]  # by number of labels: accuracy on the rows never labelled, and on test images
AT_ONCE = 100  # drawings of the experiment's stream between two looks at its report


@dataclass(frozen=True)
class Rows:
    """Traffic and what measures accuracy: points `[n, 8, 2]` with classes, and framed images with classes."""

    points: np.ndarray
    classes: np.ndarray
    judged: np.ndarray
    truths: np.ndarray


def main() -> int:
    """Run the circle; return the exit code."""
    parser = argparse.ArgumentParser(description="Learn from labels of digits by other hands.")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: models)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: data)")
    parser.add_argument("--labels", type=_stages, default=STAGES, metavar="N,N", help="(default: 50,100,200,500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the rows' order, and of training")
    parser.add_argument("--judged", type=int, default=2000, metavar="N", help="rows never labelled (default: 2000)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--seeds", type=int, default=0, metavar="N", help="the table alone, as mean and range of N seeds")
    kind.add_argument(
        "--wrong", choices=("random", "ones"), help="teach wrong labels: a fifth at random, or 1 for every 7"
    )  # fmt: skip
    kind.add_argument("--stream", choices=("pendigits", "mnist"), default="pendigits", help="of the experiment")
    parser.add_argument("--postgresql", action="store_true", help="with the store on a PostgreSQL, not SQLite")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the services end with it
    path = pendigits.find()
    if path is None:
        print(f"demo-learning is skipped: {pendigits.MISSING}.")
        return 0
    images, began = load(arguments.data), time.monotonic()
    database = "postgresql" if arguments.postgresql else "sqlite"
    tables, code, beside = [], 0, ThreadPoolExecutor(1)  # which frames rows while the services start
    try:
        for seed in range(arguments.seed, arguments.seed + max(arguments.seeds, 1)):
            framing = beside.submit(_rows, path, seed, arguments.judged)
            with serving(arguments.models, arguments.data, seed, database) as circle:
                rows = framing.result()
                table = learn(circle, rows, images, arguments.labels, arguments.wrong)
                tables.append(table)
                if not arguments.seeds:
                    code = experiment(circle, rows, images, table, arguments)
    except requests.RequestException as error:
        print(f"demo-learning: {error}", file=sys.stderr)
        return 1
    finally:
        beside.shutdown(cancel_futures=True)
        print(f"{time.monotonic() - began:.0f} s")
    if arguments.seeds:
        print(f"Mean of {arguments.seeds} seeds [least, most]:")
        print("\n".join(summary(tables)))
    return code


def _rows(path: Path, seed: int, judged: int) -> Rows:
    points, classes = pendigits.read(path)
    order = np.random.default_rng(seed).permutation(len(points))
    stream, others = order[: len(order) // 2], order[len(order) // 2 :][:judged]
    return Rows(points[stream], classes[stream], pendigits.framed(points[others]), classes[others])


def learn(circle: Circle, rows: Rows, images: ImageSet, stages: Sequence[int], wrong: str | None) -> Table:
    """Teach so many labels after another, and print accuracy; return it by stage, of candidates that were published."""
    print(f"labels  variant      {len(rows.truths):,} rows never labelled  {len(images.test_images):,} test images")
    table = {0: _row(0, "champion", circle, rows, images)}
    drawings, labels = [pendigits.png(each) for each in rows.points[: max(stages)]], given(rows.classes, wrong)
    for before, stage in zip((0, *stages), stages, strict=False):
        circle.teach(drawings[before:stage], PNG, labels[before:stage])
        said, published = circle.improve()
        candidate = circle.newest_candidate() if published else None
        if candidate is None:
            print(f"{stage:6}  not published: {said}", flush=True)
        else:
            table[stage] = _row(stage, candidate, circle, rows, images)
    return table


def given(classes: np.ndarray, wrong: str | None) -> np.ndarray:
    """Return the labels that are given for these classes: the truth, or what `--wrong` says."""
    if wrong == "ones":
        return np.where(classes == 7, 1, classes)
    rng = np.random.default_rng(0)
    change = rng.random(len(classes)) < (WRONG if wrong else 0)
    return (classes + change * rng.integers(1, 10, len(classes))) % 10


def experiment(circle: Circle, rows: Rows, images: ImageSet, table: Table, arguments: argparse.Namespace) -> int:
    """Compare the candidate of all labels with the champion on what follows; return 0 if the better one answers now."""
    taught = max(arguments.labels)
    candidate = circle.newest_candidate() if taught in table else None
    if candidate is None:
        print(f"The gate stopped the candidate of {taught} labels.")
        return 0 if arguments.wrong else 1
    mnist = arguments.stream == "mnist"
    print(f"An experiment compares {candidate} with champion on what follows.", flush=True)
    began = time.monotonic()
    name = circle.start_experiment(candidate)
    truths = images.test_labels if mnist else rows.classes[taught:]
    found = circle.report(name)
    for at in range(0, len(truths), AT_ONCE):
        part = slice(at, at + AT_ONCE)
        if mnist:
            circle.teach([image.tobytes() for image in images.test_images[part]], RAW, truths[part])
        else:
            circle.teach([pendigits.png(each) for each in rows.points[taught:][part]], PNG, truths[part])
        found = circle.report(name)
        if found["decision"]["recommendation"] in ENDED:
            break
    counts, seconds = found["counts"], time.monotonic() - began
    print(
        f"{counts['compared']:,} images, {counts['labelled_disagreements']:,} labelled disagreements, {seconds:.0f} s:"
    )
    print(f"{found['decision']['recommendation']}. {' '.join(found['decision']['reasons'])}")
    default = circle.default(candidate)
    print(f"The default variant is {default} now.")
    return 0 if (default == candidate) == (not mnist and not arguments.wrong) else 1


def summary(tables: Sequence[Table]) -> list[str]:
    """Return a line a stage: of each accuracy the mean, the least and the most; and how many seeds published."""
    lines = []
    for stage in sorted({stage for table in tables for stage in table}):
        found = np.array([table[stage] for table in tables if stage in table])
        cells = [f"{c.mean():.4f} [{c.min():.4f}, {c.max():.4f}]" for c in found.T]
        lines.append(f"{stage:6}  {'  '.join(cells)}  {len(found)} of {len(tables)} published")
    return lines


def _row(labels: int, variant: str, circle: Circle, rows: Rows, images: ImageSet) -> tuple[float, float]:
    others = circle.accuracy(variant, rows.judged, rows.truths)
    test = circle.accuracy(variant, images.test_images, images.test_labels)
    print(f"{labels:6}  {variant:11}  {others:23.4f}  {test:18.4f}", flush=True)
    return others, test


def _stages(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
