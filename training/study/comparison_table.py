"""Compared arms as a table, each figure in its unit."""

from collections.abc import Sequence
from typing import Any

from training.study import page
from training.study.plots import POINTS
from training.study.reading import Tables


def comparison_table(tables: Tables, rows: Sequence[dict[str, Any]]) -> str:
    """Return comparisons as a table."""
    header = ("comparison", "of", "difference", "95 % interval", "seeds and images", "p (Holm)", "p permuted",
              "McNemar, seed 1", "comes out")  # fmt: skip
    return page.table(
        header,
        [
            (
                f"{tables.title(row['a'])} − {tables.title(row['b'])}",
                row["metric"].replace("_", " "),
                number(row["difference"], row["metric"]),
                interval((row["low"], row["high"]), row["metric"]),
                interval(row.get("bootstrap"), row["metric"]),
                probability(row["p_holm"]),
                probability(row["p_permutation"]),
                f"{m['only_a']} : {m['only_b']}, p {probability(m['p'])}" if (m := row.get("mcnemar")) else "–",
                row["outcome"],
            )
            for row in rows
        ],
    )


def number(value: float | None, metric: str) -> str:
    """Return a difference in the metric's unit: percentage points of accuracy, steps, else the plain number."""
    if value is None:
        return "–"
    if "accuracy" in metric:
        return f"{value * POINTS:+.2f}"
    return f"{value:+,.0f}" if metric.startswith("steps") else f"{value:+.4f}"


def interval(ends: Sequence[float | None] | None, metric: str) -> str:
    """Return an interval, low and high, in the metric's unit."""
    return "–" if ends is None or None in ends else " … ".join(number(end, metric) for end in ends)


def probability(p: float | None) -> str:
    """Return a p value."""
    return "–" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
