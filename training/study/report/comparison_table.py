"""Show compared arms as a table, each figure in its unit."""

from collections.abc import Sequence
from typing import Any

from training.study.report import page
from training.study.report.plots import POINTS
from training.study.report.reading import Tables


def comparison_table(tables: Tables, rows: Sequence[dict[str, Any]]) -> str:
    """Return comparisons as a table."""
    header = ("comparison", "comes out", "of", "difference", "95 % interval", "seeds and images", "p (Holm)",
              "p permuted, alone", "McNemar, seed 1")  # fmt: skip
    return page.table(header, [_row(tables, row) for row in rows], texts=3)


def _row(tables: Tables, row: dict[str, Any]) -> tuple[str, ...]:
    metric, models = row["metric"], row.get("mcnemar")
    return (
        f"{tables.title(row['a'])} − {tables.title(row['b'])}",
        row["outcome"],
        metric.replace("_", " "),
        number(row["difference"], metric),
        interval((row["low"], row["high"]), metric),
        interval(row.get("bootstrap"), metric),
        probability(row["p_holm"]),
        probability(row["p_permutation"]),
        f"{models['only_a']} : {models['only_b']}, p {probability(models['p'])}" if models else "–",
    )


def number(value: float | None, metric: str) -> str:
    """Return a difference in the metric's unit: percentage points of accuracy, steps, else the plain number."""
    if value is None:
        return "–"
    if "accuracy" in metric:
        text = f"{value * POINTS:+.2f}"
    else:
        text = f"{value:+,.0f}" if metric.startswith("steps") else f"{value:+.4f}"
    return text.replace("-", "−")


def points(value: float | None) -> str:
    """Return a standard deviation of accuracy in percentage points."""
    return "–" if value is None else f"{value * POINTS:.2f}"


def interval(ends: Sequence[float | None] | None, metric: str) -> str:
    """Return an interval, low and high, in the metric's unit."""
    return "–" if ends is None or None in ends else " … ".join(number(end, metric) for end in ends)


def probability(p: float | None) -> str:
    """Return a p value."""
    return "–" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
