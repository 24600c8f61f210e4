"""The commands that label, run experiments and learn."""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from dropserve.answers import ExperimentAnswer, ExperimentSpec, FeedbackItem, ReportAnswer
from dropserve.client import Client
from dropserve.command.ask import PARTLY
from dropserve.command.output import as_json, cell, print_lines, table


def label(client: Client, arguments: argparse.Namespace) -> int:
    """Store one label or those of a CSV file; print the fate of each."""
    if (arguments.file is None) == (arguments.label is None):
        raise ValueError("Give the id of a prediction and its label, or --file with many.")
    if arguments.file is None:
        answers = [client.label(arguments.prediction, arguments.label, arguments.source)]
    else:
        with _opened(arguments.file) as lines:
            given = [row for row in csv.reader(lines) if any(row)]
        if wrong := [number for number, row in enumerate(given, 1) if len(row) != 2 or not all(row)]:
            raise ValueError(f"{arguments.file}, row {wrong[0]}: there must be an id and a label.")
        items: list[FeedbackItem] = [
            {"prediction_id": row[0], "label": row[1], "source": arguments.source} for row in given
        ]
        answers = client.label_many(items)
    if arguments.json:
        print_lines(as_json(answer, indent=None) for answer in answers)
    else:
        rows = ([each["status"], each["detail"], each["prediction_id"]] for each in answers)
        print_lines(table(("status", "detail", "id"), rows))
    refused = [answer for answer in answers if answer["status"] >= 400]
    for answer in refused:
        print(f"dropserve: {answer['prediction_id']}: {answer['detail']}", file=sys.stderr)
    return PARTLY if refused else 0


def experiments(client: Client, arguments: argparse.Namespace) -> int:
    """Make, move or show experiments."""
    match arguments.action:
        case "list":
            found = client.experiments()
            rows = ([e["name"], e["status"], e["control"], _arms(e), _verdict(e)] for e in found)
            names = ("experiment", "status", "control", "arms", "verdict")
            print_lines([as_json(found)] if arguments.json else table(names, rows))
            return 0
        case "report":
            report = client.report(arguments.name)
            print_lines([as_json(report)] if arguments.json else _report(report))
            return 0
        case "show":
            experiment = client.experiment(arguments.name)
        case "create":
            experiment = client.create_experiment(_spec(arguments))
        case action:
            experiment = client.move_experiment(arguments.name, action, arguments.reason)
    names = ("experiment", "status", "control", "arms", "verdict")
    values = (experiment["name"], experiment["status"], experiment["control"], _arms(experiment), _verdict(experiment))
    print_lines([as_json(experiment)] if arguments.json else _facts(zip(names, values, strict=True)))
    return 0


def _verdict(experiment: ExperimentAnswer) -> str | None:
    return (experiment["verdict"] or {}).get("recommendation")


def _arms(experiment: ExperimentAnswer) -> str:
    return ", ".join(f"{arm['variant']}={arm['weight']:g}" for arm in experiment["arms"])


def _facts(facts: Iterable[tuple[str, object]]) -> Iterator[str]:
    yield from (f"{name:14}  {cell(value)}" for name, value in facts)


def _report(report: ReportAnswer) -> Iterator[str]:
    """Yield the lines of a report."""
    counts = report["counts"]
    yield from _facts((
        ("experiment", f"{report['experiment']}, {report['status']}, {report['design']}, phase {report['phase']}"),
        ("counts", ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())),
        ("recommendation", report["decision"]["recommendation"]),
        *(("", reason) for reason in report["decision"].get("reasons", [])),
    ))  # fmt: skip


def _spec(arguments: argparse.Namespace) -> ExperimentSpec:
    """Return the experiment that the options describe."""
    spec: Any = {"name": arguments.name, "control": arguments.control, "arms": arguments.arms}
    if arguments.spec:
        with _opened(arguments.spec) as file:
            spec = {**json.load(file), **spec}
    given = {"paired": arguments.paired, "hypothesis": arguments.hypothesis, "max_labels": arguments.max_labels}
    made: ExperimentSpec = spec | {name: value for name, value in given.items() if value}
    return made


def improve(client: Client, arguments: argparse.Namespace) -> int:
    """Print the kept images by label, train a candidate where a clone is named, and print drafts of experiments."""
    if arguments.run:
        lines = sys.stderr if arguments.json else None  # of the jobs, beside the JSON
        subprocess.run(["make", "-C", arguments.run, "improve"], check=True, stdout=lines)
    kept = client.learning()
    drafts = [each for each in client.experiments() if each["status"] == "draft"]
    if arguments.json:
        print_lines([as_json({"learning": kept, "drafts": drafts})])
        return 0
    print_lines(_facts((
        ("labelled", f"{kept['labelled']:,} images of {kept['units']:,} units"),
        ("by label", ", ".join(f"{label}: {number:,}" for label, number in kept["labels"].items()) or "none"),
        ("waiting", f"{kept['waiting']:,} images for a label"),
        *(("draft", f"{each['name']}: {_arms(each)}") for each in drafts),
    )))  # fmt: skip
    if not kept["most"]:
        print("dropserve: the gateway keeps no labelled images; set GATEWAY_KEEP_LABELLED.", file=sys.stderr)
    return 0


def _opened(name: str) -> TextIO:
    """Return a file to read, or standard input for `-`; spreadsheets put a byte-order mark before."""
    return open(0 if name == "-" else name, encoding="utf-8-sig", closefd=name != "-")
