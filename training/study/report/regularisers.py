"""Write the report's parts on the regularisers' suite: its figures, and its claims and tables."""

import numpy as np

from training.evaluate import Reliability
from training.study.analysis.comparisons import BESIDE
from training.study.report import page, plots
from training.study.report.comparison_table import comparison_table, points
from training.study.report.reading import Tables
from training.study.tables import PERCENTS
from training.variants import BLOG_POST

STEP_TIMES_CLAIM = 2
FIRST = tuple(v.name for v in BLOG_POST)


def figures(tables: Tables) -> list[str]:
    """Return the suite's figures under their headings."""
    four = [arm for arm in FIRST if arm in tables.statistics["arms"]] or list(tables.statistics["arms"])[:4]
    return [
        *accuracy(tables, four),
        *over_fitting(tables, four),
        *differences(tables),
        *cost(tables),
        *confidence(tables, four),
    ]


def details(tables: Tables) -> list[str]:
    """Return the suite's claims and tables."""
    return [*opening(tables), *claims(tables), *accuracy_table(tables), *cost_table(tables)]


def opening(tables: Tables) -> list[str]:
    """Describe the networks, the data and the recipe."""
    about, recipe = tables.statistics["about"], tables.statistics["about"]["recipe"]
    members = sum(len(of_arm["seed"]) for of_arm in tables.results.values())
    return [
        page.heading("Training"),
        page.paragraph(
            f"{members} networks of five dense layers (784-256-128-64-32-10 on images of digits), "
            f"{len(tables.results)} arms, on {about['train']:,} images of {about['data']}, tested on "
            f"{about['test']:,}. "
            f"Each takes {about['steps']:,} steps of Adam at {recipe['learning_rate']:g} in batches of "
            f"{recipe['batch']}: {recipe['epochs']} times through the images. Noise (dropout is one kind) is on the "
            "outputs of the first two hidden layers and off when a model is tested."
        ),
    ]


def claims(tables: Tables) -> list[str]:
    """Return each claim with its verdict and the comparisons behind it."""
    parts = [page.heading("The claims")]
    for claim in tables.statistics["claims"]:
        rows = [row for row in tables.statistics["comparisons"] if row["claim"] == claim["number"]]
        parts += [
            page.verdict(claim),
            *(step_times(tables) if claim["number"] == STEP_TIMES_CLAIM else ()),
            comparison_table(tables, rows),
        ]
    beside = [row for row in tables.statistics["comparisons"] if row["claim"] is None]
    if beside:
        parts += [page.heading(BESIDE, 3), comparison_table(tables, beside)]
    return parts


def step_times(tables: Tables) -> list[str]:
    """Return the time of a step with and without dropout; the comparisons count steps, not seconds."""
    if not tables.timings:
        return []
    took = {arm: of_arm["median"] for arm, of_arm in tables.timings["ms_per_step_and_member"].items()}
    return [
        page.paragraph(
            f"A step costs {took['dropout']:.2f} ms with dropout and {took['plain']:.2f} ms without, timed apart: with "
            "a member on every core, elapsed time by the steps of all. "
            "The comparisons count the steps until accuracy first reaches 90 % and 95 %. A seed that never gets there "
            "counts with all its steps."
        )
    ]


def best_first(tables: Tables) -> list[str]:
    """Return all arms, the best mean accuracy first."""
    arms = tables.statistics["arms"]
    return sorted(arms, key=lambda arm: -arms[arm]["test_accuracy"]["mean"])


def accuracy(tables: Tables, four: list[str]) -> list[str]:
    """Return learning curves and the accuracy of all arms."""
    panels = [("test_accuracy", "test accuracy"), ("test_loss", "test loss (nats)")]
    return [
        page.heading("Learning curves and final accuracy"),
        page.figure(plots.curves(tables, four, panels), "Test accuracy and test loss during training, mean of the "
                    "seeds; the band is one standard deviation either way."),
        page.figure(plots.by_arm(tables, best_first(tables), [("test_accuracy", "test accuracy at the last step")]),
                    "Every arm, best mean first. A dot is a seed; the mark is the mean, the bar its 95 % interval."),
    ]  # fmt: skip


def accuracy_table(tables: Tables) -> list[str]:
    """Return the accuracy of all arms as a table."""
    rows = []
    for arm in best_first(tables):
        of_arm = tables.statistics["arms"][arm]
        s = of_arm["test_accuracy"]
        rows.append(
            (of_arm["title"], str(s["n"]), f"{s['mean']:.2%}", points(s["sd"]),
             f"{s['min']:.2%} … {s['max']:.2%}", f"{of_arm['test_loss']['mean']:.4f}",
             f"{of_arm['test_brier']['mean']:.4f}", f"{of_arm['test_ece']['mean']:.4f}")
        )  # fmt: skip
    return [
        page.heading("Final figures of every arm"),
        page.table(("arm", "seeds", "mean accuracy", "SD (points)", "range", "loss", "Brier score",
                    "calibration error"), rows),
    ]  # fmt: skip


def over_fitting(tables: Tables, four: list[str]) -> list[str]:
    """Return the gap between training and test images."""
    panels = [("train_loss", "loss on training images"), ("test_loss", "loss on test images")]
    gaps = [("accuracy_gap", "accuracy: training − test"), ("loss_gap", "loss: test − training")]
    return [
        page.heading("Over-fitting: training against test images"),
        page.paragraph("A model over-fits when it does worse on unseen images. Accuracy hides some of it; the loss "
                       "also counts confidence in wrong answers."),
        page.figure(plots.curves(tables, four, panels), "Loss with dropout off, on 10,000 of the training images and "
                    "on the test images. Where the left keeps falling and the right rises, a model over-fits."),
        page.figure(plots.by_arm(tables, list(tables.statistics["arms"]), gaps), "The gap at the last step, on all "
                    "training images. Further right is more over-fitting."),
    ]  # fmt: skip


def differences(tables: Tables) -> list[str]:
    """Return all compared pairs."""
    rows = [row for row in tables.statistics["comparisons"] if row["metric"] == "test_accuracy"]
    if not rows:
        return []
    caption = ("Differences of mean accuracy. Thick: 95 % over seeds (Welch). Thin: 95 % over seeds and test images. "
               "An interval that crosses 0 shows nothing.")  # fmt: skip
    return [page.heading("Pair by pair"), page.figure(plots.differences(tables, rows), caption)]


def cost(tables: Tables) -> list[str]:
    """Return the time of a step, where it was measured."""
    timings = tables.timings
    if not timings:
        return []
    titles = {name: of_arm["title"] for name, of_arm in tables.statistics["arms"].items()}
    caption = (
        f"Milliseconds a training step costs with {timings['cores']} members at a time, one a core: elapsed time by "
        f"the steps of all. Rounds of {timings['steps_a_round']} steps of each, the arms in turn; a dot is a round, "
        "the bar the median."
    )
    return [
        page.heading("Time of a training step"),
        page.figure(plots.cost(timings["ms_per_step_and_member"], titles), caption),
    ]


def cost_table(tables: Tables) -> list[str]:
    """Return the number of steps to some accuracies as a table."""
    arms = tables.statistics["arms"]
    rows = [
        (of_arm["title"], *(
            f"{s['mean']:,.0f} ({s['n']} of {of_arm['test_accuracy']['n']})" if s["n"] else "never"
            for s in (of_arm[f"steps_to_{percent}"] for percent in PERCENTS)
        ))
        for of_arm in arms.values()
    ]  # fmt: skip
    return [
        page.heading("Steps to an accuracy"),
        page.paragraph("Steps until test accuracy first reaches a level: the mean of the seeds that get there, and "
                       "their number. Accuracy is measured every 100 steps up to 1,000, then every 500."),
        page.table(("arm", *(f"steps to {percent} %" for percent in PERCENTS)), rows),
    ]  # fmt: skip


def confidence(tables: Tables, four: list[str]) -> list[str]:
    """Return reliability and selective accuracy."""
    arms = tables.statistics["arms"]
    diagrams = {
        arms[arm]["title"]: Reliability(*(np.array(v, float) for v in arms[arm]["reliability"].values()))
        for arm in four
    }
    curves = {
        arms[arm]["title"]: (np.array(s["coverages"]), np.array(s["accuracies"]))
        for arm in four
        for s in (arms[arm]["selective"],)
    }
    return [
        page.heading("Reliability of confidence"),
        page.figure(plots.reliability(diagrams), "Predictions of all seeds, in 15 bins of confidence. On the dotted "
                    "line accuracy equals confidence; below it, a model is over-confident."),
        page.figure(plots.selective(curves), "Errors when a model answers only the images of its highest "
                    "confidence. Lower is better; at the right it answers all."),
    ]  # fmt: skip
