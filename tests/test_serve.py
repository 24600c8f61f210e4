"""The settings of `python -m serving`."""

from pathlib import Path

import pytest

from serving.__main__ import reachable, settings


@pytest.mark.parametrize(
    ("listened_on", "reached_at"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("[::]", "[::1]"),
        ("::1", "[::1]"),
        ("[fd00::7]", "[fd00::7]"),
        ("localhost", "localhost"),
    ],
)
def test_the_gateway_is_asked_where_it_listens(listened_on: str, reached_at: str) -> None:
    assert reachable(listened_on) == reached_at


@pytest.mark.parametrize("path", ["", "mine.sock"])
def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """`.env.example` has such lines."""
    monkeypatch.setenv("MODEL_SERVER_GRPC_SOCKET_PATH", path)
    monkeypatch.setenv("GATEWAY_PORT", "")
    found = settings(Path("models"), Path("own.sock"))
    assert found["MODEL_SERVER_GRPC_SOCKET_PATH"] == (path or "own.sock")
    assert found["GATEWAY_MODEL_SERVER"] == f"unix:{path or 'own.sock'}"
    assert found["GATEWAY_PORT"] == "8080"
