"""Propose a candidate that learned from labels: make the draft of its experiment against the default variant.

    python -m serving.gateway.commands.propose [NAME] [--folder DIR] [--url URL]

The candidate is called as the newest set of labels says, unless it is named. Works on the database of
GATEWAY_DATABASE_URL.
"""

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

from serving.gateway.commands.labels import FOLDER
from serving.gateway.errors import GatewayError
from serving.gateway.learning.image_set import CANDIDATE
from serving.gateway.learning.proposal import propose
from serving.gateway.manifest import ManifestFile
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store


def main() -> int:
    """Make the draft and print the link to it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.propose", description=__doc__.splitlines()[0]
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the candidate's name (default: as the labels say)")
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help="of image sets (default: labels)")
    parser.add_argument("--url", help="of the gateway, for the link (default: http://127.0.0.1:GATEWAY_PORT)")
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environ(os.environ)
        manifest = ManifestFile(settings.models_dir / "manifest.json").current()
        candidate = arguments.name or (arguments.folder / CANDIDATE).read_text().strip()
        with closing(Store(settings.database_url)) as store, store.write() as connection:
            name, new = propose(connection, manifest, candidate)
    except (SettingsError, UnusableDatabase, GatewayError, OSError) as error:
        print(f"propose: {error}", file=sys.stderr)
        return 1
    link = f"{arguments.url or f'http://127.0.0.1:{settings.port}'}/#/experiments/{name}"
    print(f"The experiment {name} {'is a draft now' if new else 'exists already'}; look at it and start it: {link}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
