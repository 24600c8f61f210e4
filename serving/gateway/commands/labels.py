"""Write the labelled images as an image set that training reads.

    python -m serving.gateway.commands.labels [--folder DIR] [--user-labels N]

Reads the database of GATEWAY_DATABASE_URL, also while gateways run. Deletes sets whose images are no longer all kept.
"""

import argparse
import os
import sys
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from sqlalchemy import Row

from serving.gateway.errors import GatewayError
from serving.gateway.learning import image_set, selection
from serving.gateway.learning.proposal import next_name
from serving.gateway.learning.selection import LabelledImage, Selection, Unusable
from serving.gateway.manifest import Manifest, ManifestFile
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store import kept, taught
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store

FOLDER = Path("labels")
EXIT_UNUSABLE = 2


def main() -> int:
    """Write the set, and print its size; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.labels", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help="of the sets (default: labels)")
    parser.add_argument(
        "--user-labels", type=_whole, default=0, metavar="N",
        help="learn from labels of users, too, at most N a unit (default: 0: of auditors and the truth alone)",
    )  # fmt: skip
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environ(os.environ)
        manifest = ManifestFile(settings.models_dir / "manifest.json").current()
        with closing(Store(settings.database_url)) as store:
            with store.read() as connection:
                rows, share = kept.labelled(connection, pixels=True), kept.share_with_pixels(connection)
            images = [_image(row) for row in rows]
            prune(arguments.folder, {image.prediction for image in images}, manifest)
            chosen = selection.select(images, manifest.classes, manifest.image.pixels, arguments.user_labels)
            with store.write() as connection:  # before anything can learn from them
                taught.add(connection, {image.image for image in chosen.train})
                candidate = next_name(connection, manifest)
            folder = image_set.write(arguments.folder, chosen, manifest.classes, manifest.image)
            image_set.name_in(arguments.folder, image_set.CANDIDATE, candidate)
            with store.read() as connection:  # again: a deletion before the set was there did not find it
                stored = kept.labelled_predictions(connection)
        if folder.name in image_set.prune(arguments.folder, stored):
            print("labels: an image of the set was deleted meanwhile, and so the set; run this again", file=sys.stderr)
            return 1
    except Unusable as error:
        print(f"labels: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except (SettingsError, UnusableDatabase, GatewayError, OSError) as error:
        print(f"labels: {error}", file=sys.stderr)
        return 1
    print(_summary(folder, chosen, share))
    return 0


def prune(folder: Path, stored: Collection[str], manifest: Manifest) -> None:
    """Delete the sets that are not to stay, and print their names; those that published variants learned from stay."""
    wanted = {str(v.training["labels"]["set"]) for v in manifest.variants if "labels" in v.training}
    for name in image_set.prune(folder, stored, wanted):
        print(f"Deleted the set {folder / name}: its images are not all kept any more, or no variant learned from it.")


def _summary(folder: Path, chosen: Selection, share: float | None) -> str:
    units = [len({image.unit for image in part}) for part in (chosen.train, chosen.test)]
    left = selection.in_words(+chosen.left_out)
    found = "" if share is None else f" {share:.0%} of the labelled predictions found their pixels."
    return (
        f"{folder}: {len(chosen.train):,} images of {units[0]:,} units to learn from, {len(chosen.test):,} of "
        f"{units[1]:,} to judge by{f'; left out: {left}' if left else ''}.{found}"
    )


def _image(row: Row) -> LabelledImage:
    return LabelledImage(
        row.prediction, row.unit, row.image, row.label, row.source, row.predicted, row.variant, row.version, row.pixels,
        row.labelled_at,
    )  # fmt: skip


def _whole(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
