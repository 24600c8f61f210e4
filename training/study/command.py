"""A study from its arguments to its report."""

import argparse
import dataclasses
import threading
from pathlib import Path

from training import population
from training.arguments import RUNS
from training.data import ImageSet
from training.job import stop_on_signals
from training.study import arms, regularisers, report, result, run, summary, tables, timing
from training.variants import Recipe


def run_suite(suite: run.Suite, folder: Path, stop: threading.Event) -> None:
    """Complete a suite and write its tables and statistics into its folder."""
    results = run.complete(suite, folder / "members", stop)
    print(f"{suite.name}: {len(results)} members; tables and statistics into {folder} …", flush=True)
    tables.write(folder, results, suite.labels)
    tables.write_text(folder / "statistics.json", summary.text(summary.document(suite, results)))


def main(arguments: argparse.Namespace, data: ImageSet) -> None:
    """Do what the arguments of `study` say; raise ValueError, population.Diverged or job.Interrupted."""
    top = arguments.folder or RUNS / ("study-quick" if arguments.quick else "study")
    suite = of_regularisers(arguments, data)
    population.use_one_core_per_member()
    with result.locked(top), stop_on_signals() as stop:
        folder = top / suite.name
        (folder / "members").mkdir(parents=True, exist_ok=True)
        if arguments.timing or not (folder / "timings.json").is_file():
            timing.write(folder / "timings.json", data, stop)
        if not arguments.timing:
            run_suite(suite, folder, stop)
            report.write(top)
            print(f"The report: {top / 'report.html'}")


def of_regularisers(arguments: argparse.Namespace, data: ImageSet) -> run.Suite:
    """Return the regularisers' suite that the arguments ask for."""
    chosen = {arm.variant.name: arm for arm in arms.arms()}
    if arguments.arms or arguments.quick:
        names = arguments.arms.split(",") if arguments.arms else arms.QUICK
        unknown = sorted(set(names) - chosen.keys())
        if unknown:
            raise ValueError(f"no arm {', '.join(unknown)}; there are {', '.join(chosen)}")
        chosen = {name: arm for name, arm in chosen.items() if name in names}
    seeds = arguments.seeds or (arms.QUICK_SEEDS if arguments.quick else None)
    picked = [dataclasses.replace(arm, seeds=seeds or arm.seeds) for arm in chosen.values()]
    return regularisers.suite(data, Recipe(epochs=arguments.epochs or Recipe.epochs), picked)
