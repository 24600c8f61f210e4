"""Write the report's parts on the convolutional suite: its figures, and its claim and tables."""

from typing import Any

from training.study.report import page, plots
from training.study.report.comparison_table import comparison_table, points
from training.study.report.reading import Tables

SIZES = {"small": "Trained on 2,000 images", "all": "Trained on all images"}
TITLE = "In a convolutional net"


def figures(tables: Tables) -> list[str]:
    """Return the suite's figures under their headings."""
    parts = [page.heading(TITLE)]
    panels = [("test_accuracy", "test accuracy at the last step"), ("loss_gap", "loss: test − training")]
    for prefix, title in SIZES.items():
        if not (arms := arms_of(tables, prefix)):
            continue
        caption = "A dot is a seed; the mark is the mean, the bar its 95 % interval. Over-fitting is on the right."
        parts += [page.heading(title, 3), page.figure(plots.by_arm(tables, arms, panels), caption)]
        if rows := comparisons_of(tables, arms):
            parts.append(page.figure(plots.differences(tables, rows), "Differences of mean accuracy. Thick: 95 % over "
                                     "seeds (Welch). Thin: 95 % over seeds and test images."))  # fmt: skip
    return parts


def details(tables: Tables) -> list[str]:
    """Return the suite's claim and tables."""
    about, statistics = tables.statistics["about"], tables.statistics
    amounts = {name: {**about[name], "epochs": about["epochs"] or about[name]["epochs"]} for name in ("small", "all")}
    size = {True: amounts["small"], False: amounts["all"]}
    return [
        page.heading(TITLE),
        page.paragraph(
            "Two 3×3 convolutions of 16 and 32 filters, each with ReLU, then 2×2 max pooling, a dense layer of 64 with "
            f"ReLU and the classes; Keras' own layers, Adam at {about['learning_rate']:g}. Dropout of "
            f"{about['rate']:g} is at one place or nowhere, with batch normalisation before each ReLU of a convolution "
            f"or without. On 2,000 images drawn by the seed: {size[True]['epochs']} times through them in batches "
            f"of {size[True]['batch']}; on all {about['train']:,}: {size[False]['epochs']} times in batches of "
            f"{size[False]['batch']}."
        ),
        page.paragraph(
            "Without batch normalisation, dropout right before a ReLU equals dropout right after it: for a mask m that "
            "is never negative, relu(m·z) = m·relu(z). So “in the middle” has a meaning only between two "
            "convolutions, or around pooling or batch normalisation."
        ),
        *(page.verdict(claim) for claim in statistics["claims"]),
        *(part for prefix, title in SIZES.items() for part in _tables(tables, prefix, title)),
    ]  # fmt: skip


def arms_of(tables: Tables, prefix: str) -> list[str]:
    """Return the arms of one size of the training set."""
    return [arm for arm in tables.statistics["arms"] if arm.startswith(f"{prefix}_")]


def comparisons_of(tables: Tables, arms: list[str]) -> list[dict[str, Any]]:
    """Return the comparisons of these arms."""
    return [row for row in tables.statistics["comparisons"] if row["a"] in arms]


def _tables(tables: Tables, prefix: str, title: str) -> list[str]:
    arms = arms_of(tables, prefix)
    if not arms:
        return []
    rows = comparisons_of(tables, arms)
    of_arms = [
        (of_arm["title"], str(s["n"]), f"{s['mean']:.2%}", points(s["sd"]),
         f"{s['min']:.2%} … {s['max']:.2%}",
         f"{of_arm['test_loss']['mean']:.4f}", f"{of_arm['train_loss']['mean']:.4f}")
        for of_arm in (tables.statistics["arms"][arm] for arm in arms)
        for s in (of_arm["test_accuracy"],)
    ]  # fmt: skip
    return [
        page.heading(title, 3),
        page.table(("arm", "seeds", "mean accuracy", "SD (points)", "range", "test loss", "training loss"), of_arms),
        *([comparison_table(tables, rows)] if rows else []),
    ]  # fmt: skip
