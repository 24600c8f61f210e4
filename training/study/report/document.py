"""Write report.html: all suites of a study's folder, figures first."""

from pathlib import Path

import numpy as np

from training import evaluate, files
from training.study.analysis.summary import COVERAGES
from training.study.report import convolution as convolution_report
from training.study.report import page, plots, reading
from training.study.report import regularisers as regularisers_report

SUITES = {"regularisers": regularisers_report, "convolution": convolution_report}
HOW_TO_READ = (
    "Accuracy is the share of test images that a model has right after its last training step. No step is chosen for "
    "its accuracy: that would flatter every arm.",
    "An arm is one way of training. A seed decides first weights, the order of the images and the noise. One seed is "
    "one dot; an arm's figures are means over its seeds.",
    "Intervals are 95 %. For a mean it is Student's t over seeds; for a difference Welch's. A second interval comes "
    "from 4,000 resamples of seeds and test images together: it also counts the choice of test images.",
    "p is Welch's, adjusted by Holm's method for all comparisons of one claim. A difference is shown below 0.05. A "
    "permutation test of the seeds checks it without assuming a distribution.",
    "McNemar's exact test compares the two models of seed 1, image by image: it shows what one run can tell.",
)


def write(top: Path) -> None:
    """Write report.html in a study's folder from the tables of its suites and of further models."""
    figures, details = [], [page.heading("How to read the tables"), page.items(HOW_TO_READ)]
    for name, suite in SUITES.items():
        if (top / name / "statistics.json").is_file():
            tables = reading.read(top / name)
            figures += suite.figures(tables)
            details += suite.details(tables)
    figures += of_models(sorted((top / "models").glob("*.npz")))
    parts = [*figures, *details]
    files.write(top / "report.html", page.page("Dropout, L2 and their kin on handwritten digits", parts))


def of_models(files: list[Path]) -> list[str]:
    """Return figures of models, files of `probabilities`, float `[n, classes]`, and `labels`, int `[n]`."""
    if not files:
        return []
    diagrams, curves = {}, {}
    for file in files:
        try:
            with file.open("rb") as stream, np.load(stream) as arrays:  # NumPy leaves a damaged one open
                probabilities, labels = arrays["probabilities"], arrays["labels"]
        except Exception as error:  # numpy, zipfile and zlib each have their own
            raise ValueError(f"{file}: expected arrays probabilities and labels, found: {error}") from error
        confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        diagrams[file.stem] = evaluate.reliability(confidences, right)
        curves[file.stem] = (COVERAGES, evaluate.selective_accuracy(confidences, right, COVERAGES))
    return [
        page.heading("Further models"),
        page.figure(plots.reliability(diagrams), "Reliability of each model: on the dotted line it is as often right "
                    "as it is sure."),
        page.figure(plots.selective(curves), "Errors of each model when it answers only what it is surest of."),
    ]  # fmt: skip
