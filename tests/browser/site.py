"""Servers behind the page: trained models, a model server that can be stopped, and gateways."""

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testing import warm
from testing.running_gateway import Gateway, WarmGateway
from tests.conftest import ModelServer, start_model_server


def train(models: Path) -> None:
    """Train variants on MNIST in a fraction of what `make train` takes.

    The champion answers what is drawn here, and errs so much less than dropout that an experiment soon says so.
    """
    done = warm.run(
        "training", "train", f"--models={models}", f"--runs={models}-runs", "--epochs=1",
        "--variants=dropout,l2,champion", "--draws=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


class Site:
    """A model server over `models`, reached by a Unix socket, and any number of gateways before it."""

    def __init__(self, models: Path, folder: Path) -> None:
        self.models, self.folder = models, folder
        self._numbers = itertools.count()
        self._server: ModelServer | None = None
        self.start_models()

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest of the models."""
        return json.loads((self.models / "manifest.json").read_text())

    @property
    def _socket(self) -> Path:
        return self.folder / "models.sock"

    def start_models(self) -> None:
        """Start the model server, if it does not run."""
        if self._server is None:
            self._server = start_model_server(self.models, f"--grpc_socket_path={self._socket}")

    def stop_models(self) -> None:
        """Stop the model server."""
        if self._server is not None:
            server, self._server = self._server, None
            server.stop()

    @contextlib.contextmanager
    def gateway(self, manifest: dict[str, Any] | None = None, **settings: Any) -> Iterator[Gateway]:
        """Run a gateway with a database of its own, over another manifest if one is given."""
        folder = self.folder / f"gateway-{next(self._numbers)}"
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(manifest or self.manifest))
        with WarmGateway(folder, f"unix:{self._socket}", quiet=True, workers=1, **settings) as gateway:
            yield gateway
