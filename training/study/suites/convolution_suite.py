"""Turn the convolutional suite's arms into jobs and comparisons."""

import dataclasses
from collections.abc import Callable, Sequence

from training.data import ImageSet
from training.stopping import Stop
from training.study import result
from training.study.analysis.comparisons import Comparison
from training.study.result import Result
from training.study.run import Job, Suite
from training.study.suites import convolution_training as training
from training.study.suites.convolution import FILTERS, KERNEL, RATE, SMALL, UNITS, Cell, cells

NAME = "convolution"
SEEDS_SMALL, SEEDS_ALL, QUICK_SEEDS = 10, 4, 2
QUICK = ("small_none", "small_input", "small_between_convolutions", "small_after_pool")


def suite(data: ImageSet, arms: Sequence[Cell], seeds: int | None, epochs: int | None) -> Suite:
    """Return the suite of these cells; `seeds` and `epochs` go before each cell's own where they are given."""
    by_name = {cell.name: cell for cell in arms}
    amounts = {name: amount(cell, epochs) for name, cell in by_name.items()}
    about = {
        "small": training.SMALL._asdict(), "all": training.ALL._asdict(), "epochs": epochs,
        "learning_rate": training.LEARNING_RATE, "rate": RATE, "data": data.name, "sha256": data.sha256,
        "train": len(data.train_images), "test": len(data.test_images), "watched": training.WATCHED,
    }  # fmt: skip
    digests = {
        name: result.fingerprint(
            cell=dataclasses.asdict(cell), amount=amounts[name], rate=RATE, learning_rate=training.LEARNING_RATE,
            watched=training.WATCHED, data=about["sha256"],
            network=[FILTERS, KERNEL, UNITS, SMALL],
        )
        for name, cell in by_name.items()
    }  # fmt: skip
    of_each = {name: seeds or (SEEDS_SMALL if cell.small else SEEDS_ALL) for name, cell in by_name.items()}
    jobs = [
        Job(name, seed, digests[name])
        for seed in range(1, max(of_each.values()) + 1)
        for name in by_name
        if seed <= of_each[name]
    ]

    def trainer(_: Sequence[Job]) -> Callable[[Job, Stop], Result]:
        return lambda job, stop: training.train(by_name[job.arm], job.seed, data, amounts[job.arm], stop)

    titles = {name: cell.title for name, cell in by_name.items()}
    return Suite(NAME, titles, jobs, comparisons(), data.test_labels, about, trainer)


def amount(cell: Cell, epochs: int | None) -> training.Amount:
    """Return how long a cell's models are trained."""
    own = training.SMALL if cell.small else training.ALL
    return own._replace(epochs=epochs) if epochs else own


def comparisons() -> tuple[Comparison, ...]:
    """Return the claim's comparisons: dropout before and after convolutions against none and against between them."""
    rows = []
    for group in dict.fromkeys(cell.name.removesuffix(cell.site) for cell in cells()):
        rows += [Comparison(6, group + site, f"{group}none", 1) for site in ("input", "before_pool", "after_pool")]
        rows += [Comparison(6, group + site, f"{group}none") for site in ("between_convolutions", "after_dense")]
        middle = f"{group}between_convolutions"
        rows += [Comparison(6, middle, group + site, -1) for site in ("input", "before_pool", "after_pool")]
    return tuple(rows)
