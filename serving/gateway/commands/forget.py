"""Delete the images and labels of a prediction or of a unit.

    python -m serving.gateway.commands.forget --prediction ID | --unit UNIT [--folder DIR]

Works on the database of GATEWAY_DATABASE_URL, also while gateways run. Counts of experiments stay.
Image sets on disk that have such an image go, too.
"""

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

from serving.gateway.commands.labels import FOLDER
from serving.gateway.errors import GatewayError
from serving.gateway.learning import image_set
from serving.gateway.learning.forgetting import forget_prediction, forget_unit
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store import kept
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store


def main() -> int:
    """Delete, and print how much; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.forget", description=__doc__.splitlines()[0]
    )
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--prediction", metavar="ID", help="an id that /predict answered with, or as image sets name it")
    whose.add_argument("--unit", metavar="UNIT", help="what clients sent as X-Unit-Id")
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help="of image sets (default: labels)")
    arguments = parser.parse_args(_joined(sys.argv[1:]))
    try:
        settings = Settings.from_environ(os.environ)
        with closing(Store(settings.database_url)) as store, store.write() as connection:
            if arguments.unit is None:
                done = forget_prediction(connection, arguments.prediction)
            else:
                done = forget_unit(connection, arguments.unit)
            stored = kept.labelled_predictions(connection)
        sets = image_set.prune(arguments.folder, stored)
    except (SettingsError, UnusableDatabase, GatewayError, OSError) as error:
        print(f"forget: {error}", file=sys.stderr)
        return 1
    print(f"Deleted {done.images:,} images and {done.labels:,} labels{_sets(sets)}.")
    return 0


def _joined(words: list[str]) -> list[str]:
    """Join `--prediction` and `--unit` to their values by `=`: one id in 64 begins with a dash, and units may."""
    for option in {"--prediction", "--unit"}.intersection(words[:-1]):
        at = words.index(option)
        words = [*words[:at], f"{option}={words[at + 1]}", *words[at + 2 :]]
    return words


def _sets(names: list[str]) -> str:
    return f", and the image sets {', '.join(names)}" if names else ""


if __name__ == "__main__":
    sys.exit(main())
