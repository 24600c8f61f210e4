"""Gateways to attack: over a made-up model server, in a folder of their own."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving.gateway.access.api_keys import Scope, digest, entry
from testing.api import ADMIN_TOKEN
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST
from testing.running_gateway import Gateway

KEY = "attack-key-of-a-client-0123456789"
INTRUDER = "attack-key-of-another-client-0123456789"  # an attacker's, whose share is not that of KEY
LABELLER = "attack-key-of-a-labeller-0123456789"
KEYS = f"{entry(KEY, Scope.PREDICT)},{entry(INTRUDER, Scope.PREDICT)},{entry(LABELLER, Scope.LABEL)}"
DIGEST = digest(KEY)
TOKEN = ADMIN_TOKEN


@contextmanager
def running(**settings: Any) -> Iterator[Gateway]:
    """Run a gateway with `settings` for as long as the block takes; `gateway.log` is in its folder."""
    server = FakeModelServer()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        (models / "manifest.json").write_text(json.dumps(MANIFEST))
        try:
            with Gateway(models, server.address, log=log_of(models), **settings) as gateway:
                yield gateway
        finally:
            server.stop()


def log_of(models: Path) -> Path:
    """Return the file in which a gateway over the folder `models` logs."""
    return models / "gateway.log"


def folder_of(gateway: Gateway) -> Path:
    """Return the folder of a gateway's models, store and log."""
    return gateway.metrics.parent
