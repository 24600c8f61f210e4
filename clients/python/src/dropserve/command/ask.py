"""The commands that ask about images and variants."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dropserve.client import Client
from dropserve.command.output import as_json, print_lines, table, with_progress
from dropserve.errors import Refused
from dropserve.folders import FileAnswer, concerns_images, image_files, predict_files

PARTLY = 4  # the exit code where some images or labels were refused
STDIN = Path("-")
WIDTHS = {"variant": 10}  # of columns that are printed row by row, beyond their names


def predict(client: Client, arguments: argparse.Namespace) -> int:
    """Print the answer of each image; name the refused ones on standard error."""
    parameters = {
        "variant": arguments.variant, "experiment": arguments.experiment, "unit": arguments.unit,
        "uncertainty": arguments.uncertainty, "split": arguments.split,
    }  # fmt: skip
    files, refused = _files(arguments), list[FileAnswer]()
    if files == [STDIN]:
        answer = client.predict(sys.stdin.buffer, **parameters)
        answers: Iterable[FileAnswer] = [FileAnswer(STDIN, answer, answer["predictions"])]
    else:
        answers = predict_files(client, files, batch=arguments.batch, connections=arguments.connections, **parameters)
    rows = _predictions(with_progress(answers, len(files), "images"), refused)
    doubt = ("entropy", "mutual_information") if arguments.uncertainty else ()
    columns = ("file", "label", "confidence", "familiarity", *doubt, "variant", "id")
    return _print_answers(columns, rows, files, arguments.json, refused)


def _predictions(answers: Iterable[FileAnswer], refused: list[FileAnswer]) -> Iterator[dict[str, Any]]:
    """Yield a row a prediction, and put files with errors into `refused`."""
    for each in answers:
        if each.answer is None:
            refused.append(each)
            continue
        asked = {name: value for name, value in each.answer.items() if name not in ("request_id", "predictions")}
        yield from ({"file": str(each.path), **asked, **prediction} for prediction in each.predictions)


def compare(client: Client, arguments: argparse.Namespace) -> int:
    """Print each variant's answer for each image; name the refused images on standard error."""
    files, refused = _files(arguments), list[FileAnswer]()

    def rows() -> Iterator[dict[str, Any]]:
        for file in with_progress(files, len(files), "images"):
            try:
                image = sys.stdin.buffer if file == STDIN else file
                found = client.compare(image, variants=arguments.variants, split=arguments.split)
            except (OSError, Refused) as error:
                if isinstance(error, Refused) and not concerns_images(error):
                    raise
                refused.append(FileAnswer(file, None, (), error))
                continue
            for result in found["results"]:
                yield from ({"file": str(file), "agree": result["agree"], **each} for each in result["variants"])

    columns = ("file", "variant", "version", "label", "confidence", "familiarity", "agree")
    return _print_answers(columns, rows(), files, arguments.json, refused)


def variants(client: Client, arguments: argparse.Namespace) -> int:
    """Print the variants."""
    found = client.variants()
    rows = (
        [v["name"], v["live"]["version"], v["live"]["state"], v["test"]["accuracy"],
         "default" if v["name"] == found["default"] else ""]
        for v in found["variants"]
    )  # fmt: skip
    print_lines([as_json(found)] if arguments.json else table(("variant", "version", "state", "accuracy", ""), rows))
    return 0


def _files(arguments: argparse.Namespace) -> list[Path]:
    """Return the files that were named, and those of folders; raise ValueError where there are none."""
    if STDIN in arguments.paths and len(arguments.paths) > 1:
        raise ValueError("- reads one image from standard input; name no other beside it.")
    files = list(image_files(arguments.paths))
    if not files:
        raise ValueError(f"There are no images in {', '.join(map(str, arguments.paths))}.")
    return files


def _print_answers(
    columns: Sequence[str], rows: Iterable[dict[str, Any]], files: Sequence[Path], as_lines: bool,
    refused: Sequence[FileAnswer],
) -> int:  # fmt: skip
    """Print rows as they come, then name the files that were `refused`, also where the gateway goes away."""
    try:
        _print_rows(columns, rows, files, as_lines)
    finally:
        _tell(refused)
    return PARTLY if refused else 0


def _print_rows(columns: Sequence[str], rows: Iterable[dict[str, Any]], files: Sequence[Path], as_lines: bool) -> None:
    """Print rows as they come: as lines of JSON, or as a table."""
    if as_lines:
        print_lines(as_json(row, indent=None) for row in rows)
        return
    widths = [max(map(len, ["file", *map(str, files)])), *(max(len(name), WIDTHS.get(name, 0)) for name in columns[1:])]
    print_lines(table(columns, ([row.get(name) for name in columns] for row in rows), widths))


def _tell(refused: Sequence[FileAnswer]) -> None:
    """Print the error of each refused file."""
    for path, _, _, error in refused:
        faults = error.faults if isinstance(error, Refused) else []
        print(f"dropserve: {path}: {faults[0]['detail'] if len(faults) == 1 else error}", file=sys.stderr)
