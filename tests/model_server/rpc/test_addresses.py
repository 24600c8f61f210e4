import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.model_server.configuration.settings import ConfigError, Settings
from serving.model_server.rpc.addresses import grpc_addresses


@pytest.fixture
def answered(tmp_path: Path) -> Iterator[str]:
    """The path of a Unix socket on which a server listens."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/answered")
        server.listen()
        yield f"{tmp_path}/answered"


@pytest.fixture
def abandoned(tmp_path: Path) -> str:
    """The path of a Unix socket that a killed server left behind."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(f"{tmp_path}/abandoned")
    return f"{tmp_path}/abandoned"


def test_the_port_and_the_socket_are_listened_on(tmp_path: Path, abandoned: str) -> None:
    assert grpc_addresses(Settings(host="127.0.0.1", port=1)) == ["127.0.0.1:1"]
    assert grpc_addresses(Settings(host="::1", port=1)) == ["[::1]:1"]
    assert grpc_addresses(Settings(port=1, grpc_socket_path=f"{tmp_path}/new")) == [
        "127.0.0.1:1",
        f"unix:{tmp_path}/new",
    ]
    assert grpc_addresses(Settings(port=0, grpc_socket_path=abandoned)) == [f"unix:{abandoned}"]


def test_a_socket_is_left_to_the_server_that_answers_there(answered: str, caplog: pytest.LogCaptureFixture) -> None:
    assert grpc_addresses(Settings(port=1, grpc_socket_path=answered)) == ["127.0.0.1:1"]
    assert f"Not listening on unix:{answered}: another server answers there; give a path of its own." in caplog.text


def test_a_socket_that_is_taken_is_an_error_where_there_is_no_port(answered: str) -> None:
    with pytest.raises(ConfigError, match="Cannot listen on unix:.*: another server answers there; give a path of its"):
        grpc_addresses(Settings(port=0, grpc_socket_path=answered))
