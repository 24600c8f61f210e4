"""Run a study, from its arguments to its report."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from training import files, population
from training.arguments import RUNS
from training.data import ImageSet
from training.stopping import stop_on_signals
from training.study import result, run, tables, timing
from training.study.analysis import summary
from training.study.report import document as report
from training.study.suites import arms, convolution, convolution_suite, regularisers
from training.variants import Recipe

Arm = TypeVar("Arm")


def write(suite: run.Suite, folder: Path) -> None:
    """Write a complete suite's tables and statistics into its folder."""
    results = run.results(suite, folder / "members")
    print(f"{suite.name}: {len(results)} members; tables and statistics into {folder} …", flush=True)
    tables.write(folder, results, suite.labels)
    files.write(folder / "statistics.json", summary.text(summary.document(suite, results)))


def main(arguments: argparse.Namespace, data: ImageSet) -> None:
    """Run the study that the arguments describe; raise ValueError, population.Diverged or stopping.Interrupted."""
    top = arguments.folder or RUNS / ("study-quick" if arguments.quick else "study")
    suite = SUITES[arguments.suite](arguments, data)
    folder, members = top / suite.name, top / suite.name / "members"
    members.mkdir(parents=True, exist_ok=True)
    population.use_one_core_per_member()
    with stop_on_signals() as stop:
        timings = top / regularisers.NAME / "timings.json"
        lacks_timings = suite.name == regularisers.NAME and arguments.shard is None and not timings.is_file()
        if arguments.timing or lacks_timings:
            timings.parent.mkdir(parents=True, exist_ok=True)
            timing.write(timings, data, stop)
        if arguments.timing:
            return
        if arguments.merge is not None:
            result.fetch(members, [source / suite.name / "members" for source in arguments.merge])
        else:
            index, count = arguments.shard or (0, 1)
            run.train_missing(suite, suite.jobs[index::count], members, stop, _engine(arguments, data))
        if arguments.shard is None:
            write(suite, folder)
            report.write(top)
            print(f"The report: {top / 'report.html'}")


def _engine(arguments: argparse.Namespace, data: ImageSet) -> run.Engine:
    """Return what trains: this machine, or the cluster that the arguments name."""
    if arguments.ray is None:
        return run.on_this_machine
    from training.study import on_ray  # an extra

    return on_ray.engine(arguments, data)


def of_regularisers(arguments: argparse.Namespace, data: ImageSet) -> run.Suite:
    """Return the regularisers' suite that the arguments ask for."""
    recipe = Recipe(epochs=arguments.epochs or Recipe.epochs)
    there = arms.arms(recipe.steps(len(data.train_images)))
    chosen = choose({arm.variant.name: arm for arm in there}, arms.QUICK, arguments)
    seeds = arguments.seeds or (arms.QUICK_SEEDS if arguments.quick else None)
    picked = [dataclasses.replace(arm, seeds=seeds or arm.seeds) for arm in chosen]
    return regularisers.suite(data, recipe, picked)


def of_convolution(arguments: argparse.Namespace, data: ImageSet) -> run.Suite:
    """Return the convolutional suite that the arguments ask for."""
    chosen = choose({cell.name: cell for cell in convolution.cells()}, convolution_suite.QUICK, arguments)
    seeds = arguments.seeds or (convolution_suite.QUICK_SEEDS if arguments.quick else None)
    return convolution_suite.suite(data, chosen, seeds, arguments.epochs)


SUITES = {regularisers.NAME: of_regularisers, convolution_suite.NAME: of_convolution}


def choose(there: dict[str, Arm], quick: Sequence[str], arguments: argparse.Namespace) -> list[Arm]:
    """Return the arms that the arguments name, in the order of those there are; raise ValueError for another name."""
    names = arguments.arms.split(",") if arguments.arms else quick if arguments.quick else list(there)
    if unknown := sorted(set(names) - there.keys()):
        raise ValueError(f"no arm {', '.join(unknown)}; there are {', '.join(there)}")
    return [arm for name, arm in there.items() if name in names]
