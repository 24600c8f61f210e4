"""Close the circle on digits of other hands: traffic, labels, candidate, experiment, promotion.

    python -m benchmarks.learning [--models DIR] [--data DIR] [--labels N,N] [--seed N] [--judged N]

Starts the services with a new store over a copy of the models. Half of UCI's pendigits is traffic with labels, each row
a unit; the other half is never labelled, and measures accuracy. Rows are disjoint; writers cannot be told apart.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import requests

from benchmarks.learning import pendigits
from benchmarks.learning.circle import Circle, serving
from training.data import load

STAGES = (50, 100, 200, 500)
ENDED = ("ship", "roll_back", "equivalent", "inconclusive", "guardrail_broken", "unhealthy")


def main() -> int:
    """Run the circle once; return the exit code."""
    parser = argparse.ArgumentParser(description="Learn from labels of digits by other hands.")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: models)")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: data)")
    parser.add_argument("--labels", type=_stages, default=STAGES, metavar="N,N", help="(default: 50,100,200,500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the rows' order, and of training")
    parser.add_argument("--judged", type=int, default=2000, metavar="N", help="rows never labelled (default: 2000)")
    arguments = parser.parse_args()
    path = pendigits.find()
    if path is None:
        print(f"demo-learning is skipped: {pendigits.MISSING}.")
        return 0
    points, classes = pendigits.read(path)
    order = np.random.default_rng(arguments.seed).permutation(len(points))
    stream, judged = order[: len(order) // 2], order[len(order) // 2 :][: arguments.judged]
    images, began = load(arguments.data), time.monotonic()
    others, truths = pendigits.framed(points[judged]), classes[judged]
    try:
        with serving(arguments.models, arguments.data, arguments.seed) as circle:
            return _run(circle, (points[stream], classes[stream]), (others, truths), images, arguments.labels)
    except requests.RequestException as error:
        print(f"demo-learning: {error}", file=sys.stderr)
        return 1
    finally:
        print(f"{time.monotonic() - began:.0f} s")


def _run(circle: Circle, stream: tuple, judged: tuple, images, stages: Sequence[int]) -> int:
    points, classes = stream
    print(f"labels  variant      {len(judged[1]):,} rows never labelled  {len(images.test_images):,} test images")
    _row(0, "champion", circle, judged, images)
    sent, candidate, ready = 0, None, 0.0
    for stage in stages:
        circle.teach(points[sent:stage], classes[sent:stage])
        sent = stage
        said = circle.improve()
        candidate = circle.newest_candidate()
        if candidate is None:
            print(f"{stage:6}  none: {said}")
            continue
        ready = time.monotonic()
        _row(stage, candidate, circle, judged, images)
    if candidate is None:
        return 1
    print(f"An experiment compares {candidate} with champion on what follows.", flush=True)
    name = circle.start_experiment(candidate)
    found = None
    for at in range(sent, len(points), 100):
        circle.teach(points[at : at + 100], classes[at : at + 100])
        found = circle.report(name)
        if found["decision"]["recommendation"] in ENDED:
            break
    assert found is not None
    counts = found["counts"]
    seconds = time.monotonic() - ready
    print(
        f"{counts['compared']:,} images, {counts['labelled_disagreements']:,} labelled disagreements, {seconds:.0f} s:"
    )
    print(f"{found['decision']['recommendation']}. {' '.join(found['decision']['reasons'])}")
    default = circle.default()
    print(f"The default variant is {default} now.")
    return 0 if default == candidate else 1


def _row(labels: int, variant: str, circle: Circle, judged: tuple, images) -> None:
    others = circle.accuracy(variant, *judged)
    test = circle.accuracy(variant, images.test_images, images.test_labels)
    print(f"{labels:6}  {variant:11}  {others:23.4f}  {test:18.4f}", flush=True)


def _stages(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
