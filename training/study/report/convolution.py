"""The report's part on the convolutional suite."""

from training.study.report import page, plots
from training.study.report.comparison_table import comparison_table, points
from training.study.report.reading import Tables


def sections(tables: Tables) -> list[str]:
    """Return the suite's sections."""
    about, statistics = tables.statistics["about"], tables.statistics
    amounts = {name: {**about[name], "epochs": about["epochs"] or about[name]["epochs"]} for name in ("small", "all")}
    size = {True: amounts["small"], False: amounts["all"]}
    return [
        page.heading("In a convolutional net"),
        page.paragraph(
            "Two 3×3 convolutions of 16 and 32 filters, each with ReLU, then 2×2 max pooling, a dense layer of 64 with "
            f"ReLU and the classes; Keras' own layers, Adam at {about['learning_rate']:g}. Dropout of "
            f"{about['rate']:g} is at one place or nowhere, with batch normalisation before each ReLU of a convolution "
            f"or without. On 2,000 images drawn by the seed: {size[True]['epochs']} times through them in batches "
            f"of {size[True]['batch']}; on all {about['train']:,}: {size[False]['epochs']} times in batches of "
            f"{size[False]['batch']}."
        ),
        page.paragraph(
            "Without batch normalisation dropout right before a ReLU and right after it are the very same thing: a "
            "mask m that is never negative comes out of the ReLU, relu(m·z) = m·relu(z). So “in the middle” can mean "
            "something only between two convolutions, or around pooling or batch normalisation."
        ),
        *(page.verdict(claim) for claim in statistics["claims"]),
        *_by_size(tables, "small", "Trained on 2,000 images"),
        *_by_size(tables, "all", "Trained on all images"),
    ]  # fmt: skip


def _by_size(tables: Tables, prefix: str, title: str) -> list[str]:
    arms = [arm for arm in tables.statistics["arms"] if arm.startswith(f"{prefix}_")]
    if not arms:
        return []
    rows = [row for row in tables.statistics["comparisons"] if row["a"] in arms]
    of_arms = [
        (of_arm["title"], str(s["n"]), f"{s['mean']:.2%}", points(s["sd"]),
         f"{s['min']:.2%} … {s['max']:.2%}",
         f"{of_arm['test_loss']['mean']:.4f}", f"{of_arm['train_loss']['mean']:.4f}")
        for of_arm in (tables.statistics["arms"][arm] for arm in arms)
        for s in (of_arm["test_accuracy"],)
    ]  # fmt: skip
    panels = [("test_accuracy", "test accuracy at the last step"), ("loss_gap", "loss: test − training")]
    return [
        page.heading(title, 3),
        page.figure(plots.by_arm(tables, arms, panels), "A dot is a seed; the mark is the mean, the bar its 95 % "
                    "interval. On the right how much the model over-fits."),
        page.table(("arm", "seeds", "mean accuracy", "SD (points)", "range", "test loss", "training loss"), of_arms),
        *([page.figure(plots.differences(tables, rows), "Differences of mean accuracy. Thick: 95 % over seeds (Welch). "
                       "Thin: 95 % over seeds and test images."), comparison_table(tables, rows)] if rows else []),
    ]  # fmt: skip
