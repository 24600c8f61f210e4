import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from serving.gateway import create_app
from tests.gateway.model_server import FakeModelServer


def variant(name: str, *signatures: str) -> dict[str, Any]:
    return {
        "name": name, "title": name.title(), "version": 7, "parameters": 1, "regularisation": {"l2": 0.0},
        "training": {"seed": 1}, "test": {"accuracy": 0.5}, "history": [],
        "signatures": ["serving_default", *signatures],
    }  # fmt: skip


MANIFEST = {
    "schema": 1, "created": "2026-11-23T10:00:00Z", "image": {"height": 28, "width": 28, "framing": "mnist"},
    "classes": [str(digit) for digit in range(10)], "default": "plain",
    "variants": [variant("plain"), variant("dropout", "mc_dropout")],
}  # fmt: skip

MakeClient = Callable[..., FlaskClient]


def json_of(answer: TestResponse) -> Any:
    """Return the JSON of an answer's body."""
    return json.loads(answer.data)


@pytest.fixture
def fake_server() -> Iterator[FakeModelServer]:
    server = FakeModelServer()
    yield server
    server.stop()


@pytest.fixture
def manifest_folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


@pytest.fixture
def make_client(fake_server: FakeModelServer, manifest_folder: Path) -> MakeClient:
    """Return a function that takes settings, such as `max_instances=2`, and gives a client of an app that has them."""

    def make(**settings: object) -> FlaskClient:
        given = {"models_dir": manifest_folder, "model_server": fake_server.address, **settings}
        return create_app({f"GATEWAY_{name.upper()}": str(value) for name, value in given.items()}).test_client()

    return make


@pytest.fixture
def client(make_client: MakeClient) -> FlaskClient:
    return make_client()


@pytest.fixture
def gateway_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the gateway logs, also after an application has taken its logger over."""
    logger = logging.getLogger("serving.gateway")
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.INFO, logger.name)
    return caplog
