"""report.html: all suites of a study's folder, readable without the source."""

from pathlib import Path

import numpy as np

from training import evaluate, files
from training.study.analysis.summary import COVERAGES
from training.study.report import convolution as convolution_report
from training.study.report import page, plots, reading
from training.study.report import regularisers as regularisers_report

SUITES = {"regularisers": regularisers_report.sections, "convolution": convolution_report.sections}
HOW_TO_READ = (
    "Accuracy is the share of the test images that a model has right after its last training step. The best step on "
    "the way is never chosen: that would flatter every arm by the luck of the draw.",
    "An arm is one way of training; a seed decides its first weights, the order of the images and the noise. One seed "
    "is one dot. What is said of an arm is said of the mean over its seeds.",
    "Intervals are 95 %. For a mean it is Student's t over seeds; for a difference Welch's, and beside it one from "
    "4,000 resamples of seeds and test images together, which also counts the luck of which images are in "
    "the test set.",
    "p is Welch's, then adjusted by Holm's method for all comparisons of the same claim; a difference is called shown "
    "below 0.05. A permutation test of the seeds checks it without any assumption about their distribution.",
    "McNemar's exact test compares just the two models of seed 1, image by image: what a single run can tell.",
)


def write(top: Path) -> None:
    """Write report.html in a study's folder from the tables of the suites that are there, and of further models."""
    parts = [page.heading("How to read this"), page.items(HOW_TO_READ)]
    for name, sections in SUITES.items():
        if (top / name / "statistics.json").is_file():
            parts += sections(reading.read(top / name))
    parts += of_models(sorted((top / "models").glob("*.npz")))
    files.write(top / "report.html", page.page("Dropout, L2 and their kin on handwritten digits", parts))


def of_models(files: list[Path]) -> list[str]:
    """Return a section on models given as files of `probabilities`, float `[n, classes]`, and `labels`, int `[n]`."""
    if not files:
        return []
    diagrams, curves = {}, {}
    for file in files:
        with np.load(file) as arrays:
            probabilities, labels = arrays["probabilities"], arrays["labels"]
        confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        diagrams[file.stem] = evaluate.reliability(confidences, right)
        curves[file.stem] = (COVERAGES, evaluate.selective_accuracy(confidences, right, COVERAGES))
    return [
        page.heading("Further models"),
        page.figure(plots.reliability(diagrams), "Reliability of each model: on the dotted line it is as often right "
                    "as it is sure."),
        page.figure(plots.selective(curves), "Errors of each model when it answers only what it is surest of."),
    ]  # fmt: skip
