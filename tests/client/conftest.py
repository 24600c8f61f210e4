"""A gateway in a thread, in front of a fake model server, and the client's command over it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from dropserve import Client
from dropserve.command.main import main
from werkzeug.serving import WSGIRequestHandler, make_server

from serving.gateway import create_app
from testing.api import ADMIN_TOKEN
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST


class Quiet(WSGIRequestHandler):
    """Handles requests over connections that stay open, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def served(app: Callable[..., Any]) -> Iterator[str]:
    """Serve a WSGI application during the block; give its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, model_server = tmp_path_factory.mktemp("gateway"), FakeModelServer()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    app = create_app({
        "GATEWAY_MODELS_DIR": str(folder), "GATEWAY_MODEL_SERVER": model_server.address,
        "GATEWAY_DATABASE_URL": f"sqlite:///{folder}/experiments.db", "GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN,
        "GATEWAY_DEADLINE_MS": "20000",
    })  # fmt: skip
    with served(app) as url:
        yield url
    model_server.stop()


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, key=ADMIN_TOKEN) as client:
        yield client


class Ran(NamedTuple):
    """The outcome of a command."""

    code: int
    out: str
    err: str

    def rows(self) -> list[Any]:
        """Return the lines of JSON that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `dropserve` with these words against the gateway, as its administrator."""
    monkeypatch.setenv("DROPSERVE_URL", url)
    monkeypatch.setenv("DROPSERVE_API_KEY", ADMIN_TOKEN)

    def run(*words: object) -> Ran:
        code = main(_texts(words))
        return Ran(code, *capsys.readouterr())

    return run


def _texts(words: Sequence[object]) -> list[str]:
    return [str(word) for word in words]
