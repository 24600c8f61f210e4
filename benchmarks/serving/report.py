"""What was measured, as a table to read and as JSON to keep."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from benchmarks.serving.bodies import LARGE
from benchmarks.serving.goals import Goal, median
from benchmarks.serving.rounds import Measured
from benchmarks.serving.servers import SERVERS


def table(seen: Measured, goals: Sequence[Goal]) -> str:
    """Return a row a load and server, medians over the rounds, then a row a goal."""
    lines = ["", f"{'load':9} {'server':32} {'requests/s':>10} {'(from':>8} {'to)':>8} {'p50 ms':>8} {'p99 ms':>8}"]
    for load, by_server in seen.results.items():
        for name, results in by_server.items():
            rates = [result.rate for result in results]
            lines.append(
                f"{load:9} {SERVERS[name].title:32} {median(results, 'rate'):10,.0f} {min(rates):8,.0f} "
                f"{max(rates):8,.0f} {median(results, 'p50_ms'):8.2f} {median(results, 'p99_ms'):8.1f}"
            )
    lines.append("(raw: 1,000 images a request; those of json and png hold one)" if seen.forward else "")
    lines.append(f"{'goal':24} {'figure':>12} {'goal':>12}           beside")
    for goal in goals:
        wanted = f"{'≤' if goal.at_most else '≥'} {goal.goal:g}{goal.unit}"
        reached = "reached" if goal.reached else "missed"
        lines.append(f"{goal.name:24} {goal.figure:9.2f}{goal.unit:3} {wanted:>12}  {reached:8} {goal.beside}")
    return "\n".join(lines)


def as_json(seen: Measured, goals: Sequence[Goal], variant: str) -> dict[str, Any]:
    """Return every figure of every round, and the goals."""
    return {
        "variant": variant,
        "goals": [{**dataclasses.asdict(goal), "reached": goal.reached} for goal in goals],
        "loads": {
            load: {name: [dataclasses.asdict(result) for result in results] for name, results in by_server.items()}
            for load, by_server in seen.results.items()
        },
        "images_a_raw_request": LARGE,
        "forward_images_a_second": seen.forward,
        "memory": [weighed._asdict() for weighed in seen.memory],
    }
