"""Draw the report's figures; each function returns an `<svg>` element."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from training.evaluate import Reliability
from training.study.report import svg
from training.study.report.reading import Tables

ROW = 0.27  # inches of height a row of a chart of arms
POINTS = 100  # percentage points in 1


def curves(tables: Tables, arms: Sequence[str], panels: Sequence[tuple[str, str]]) -> str:
    """Draw the arms' means over seeds against the step, their bands a standard deviation either way.

    A panel is a column of the curves and its title. The axis shows all that comes after the first tenth of the steps,
    before which everything is far off.
    """
    with svg.style():
        drawing, axes = svg.figure(len(panels), 3.6, squeeze=False)
        for axis, (column, title) in zip(axes[0], panels, strict=True):
            ends: list[float] = []
            for arm in arms:
                step, values = tables.curves[arm]["step"][0], tables.curves[arm][column]
                mean, sd = values.mean(axis=0), values.std(axis=0)
                (line,) = axis.plot(step, mean, label=tables.title(arm), linewidth=1.6)
                axis.fill_between(step, mean - sd, mean + sd, alpha=0.2, color=line.get_color(), linewidth=0)
                late = step >= step[-1] / 10
                ends += [(mean - sd)[late].min(), (mean + sd)[late].max()]
            margin = 0.05 * (max(ends) - min(ends)) or 0.01
            axis.set(title=title, xlabel="step", ylim=(min(ends) - margin, max(ends) + margin))
            if "accuracy" in column:
                axis.yaxis.set_major_formatter(PercentFormatter(1))
        _legend(drawing, axes[0][0])
        return svg.text(drawing, "-".join(("curves", *arms, *(p[0] for p in panels))))


def by_arm(tables: Tables, arms: Sequence[str], panels: Sequence[tuple[str, str]]) -> str:
    """Draw every seed of the arms as a dot, with the mean and its 95 % interval; a panel is a column and its title."""
    with svg.style():
        height = 0.9 + ROW * len(arms)
        drawing, axes = svg.figure(len(panels), height, squeeze=False, sharey=True)
        rng = np.random.default_rng(0)
        for axis, (column, title) in zip(axes[0], panels, strict=True):
            for row, arm in enumerate(arms):
                values = tables.results[arm][column]
                places = row + rng.uniform(-0.25, 0.25, len(values))
                axis.scatter(values, places, s=9, alpha=0.55, linewidth=0, color=svg.COLOURS[0])
                of_arm = tables.statistics["arms"][arm][column]
                if of_arm.get("low") is not None:
                    axis.plot([of_arm["low"], of_arm["high"]], [row, row], color=svg.COLOURS[1], linewidth=2.5)
                if of_arm["n"]:
                    axis.plot(of_arm["mean"], row, "|", color=svg.COLOURS[1], markersize=11, markeredgewidth=2)
            axis.set(title=title, ylim=(len(arms) - 0.5, -0.5))
            axis.set_yticks(range(len(arms)), [tables.title(arm) for arm in arms])
            if "accuracy" in column:
                axis.xaxis.set_major_formatter(PercentFormatter(1))
        return svg.text(drawing, "-".join(("arms", *arms, *(p[0] for p in panels))))


def differences(tables: Tables, rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw differences of test accuracy: Welch's 95 % interval, and thin the one with test images drawn anew."""
    with svg.style():
        drawing, axis = svg.figure(1, 0.9 + 1.3 * ROW * len(rows))
        for place, row in enumerate(rows):
            if row["low"] is not None:
                axis.plot(np.array([row["low"], row["high"]]) * POINTS, [place] * 2, color=svg.COLOURS[0], linewidth=4)
            low, high = row["bootstrap"]
            axis.plot(np.array([low, high]) * POINTS, [place] * 2, color=svg.COLOURS[1], linewidth=1.3)
            axis.plot(row["difference"] * POINTS, place, "o", color=svg.COLOURS[0], markersize=6)
        axis.axvline(0, color=svg.INK, linewidth=1)
        names = [f"{tables.title(row['a'])}\nless {tables.title(row['b'])}" for row in rows]
        axis.set_yticks(range(len(rows)), names, fontsize=8)
        axis.set(ylim=(len(rows) - 0.5, -0.5), xlabel="difference of test accuracy, percentage points")
        return svg.text(drawing, "-".join(("differences", *names)))


def cost(timings: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Draw milliseconds a step and member: every round a dot, the median a bar."""
    with svg.style():
        drawing, axis = svg.figure(1, 0.9 + 1.3 * ROW * len(timings))
        for row, of_arm in enumerate(timings.values()):
            axis.barh(row, of_arm["median"], color=svg.COLOURS[0], height=0.5, alpha=0.45)
            axis.scatter(of_arm["rounds"], [row] * len(of_arm["rounds"]), s=9, color=svg.COLOURS[1], linewidth=0)
        axis.set_yticks(range(len(timings)), [titles.get(name, name) for name in timings])
        axis.set(ylim=(len(timings) - 0.5, -0.5), xlabel="milliseconds a step and member")
        return svg.text(drawing, "cost")


def reliability(models: Mapping[str, Reliability]) -> str:
    """Draw models' accuracy against their confidence, by equal bins of confidence; on the diagonal they agree."""
    with svg.style():
        drawing, axis = svg.figure(1, 4.4)
        axis.plot([0, 1], [0, 1], color=svg.INK, linewidth=1, linestyle=":")
        for title, diagram in models.items():
            there = diagram.counts > 0
            axis.plot(diagram.confidences[there], diagram.accuracies[there], "o-", markersize=4, label=title)
        axis.set(xlabel="confidence", ylabel="share that is right", xlim=(0.2, 1.01), ylim=(0, 1.02))
        for of_axis in (axis.xaxis, axis.yaxis):
            of_axis.set_major_formatter(PercentFormatter(1))
        _legend(drawing, axis)
        return svg.text(drawing, "-".join(("reliability", *models)))


def selective(models: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Draw models' error among the answers they are surest of; a model is its coverages and its accuracies."""
    with svg.style():
        drawing, axis = svg.figure(1, 3.6)
        for title, (coverages, accuracies) in models.items():
            axis.plot(coverages, 1 - accuracies, label=title, linewidth=1.6)
        axis.set(xlabel="share of images answered, the surest first", ylabel="errors among them", ylim=(0, None))
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        _legend(drawing, axis)
        return svg.text(drawing, "-".join(("selective", *models)))


def _legend(drawing: Any, axis: Any) -> None:
    """Put the legend above the axes, where it covers nothing."""
    handles, labels = axis.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9)
