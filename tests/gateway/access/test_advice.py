from pathlib import Path
from typing import Any

import pytest

from serving.gateway.access.advice import advice
from serving.gateway.access.api_keys import digest
from serving.gateway.settings import Settings
from testing.fake_model_server import FakeModelServer
from testing.running_gateway import Gateway

TOKEN, KEY = "x" * 16, digest("one")
HOSTS = "lets other machines in, but requests by other names than localhost get 421: name the hosts that clients call"
OPEN = "lets other machines predict and label without a key: set GATEWAY_API_KEYS"
READING = "GATEWAY_API_KEYS closes experiments, reports, the label queue and labels to all but administrators and label"
SHORT = "GATEWAY_ADMIN_TOKEN is shorter than 16 characters and opens nothing; a random token is printed instead"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"host": "localhost"}, []),
        ({"host": "[::1]"}, []),
        ({"admin_token": TOKEN}, []),
        ({"admin_token": TOKEN[1:]}, [SHORT]),
        ({"host": "0.0.0.0"}, ["GATEWAY_HOST=0.0.0.0 " + HOSTS, "GATEWAY_HOST=0.0.0.0 " + OPEN]),
        ({"host": "[::]", "hosts": "a"}, ["GATEWAY_HOST=[::] " + OPEN]),
        ({"host": "::", "api_keys": f"{KEY},read:{KEY}"}, ["GATEWAY_HOST=:: " + HOSTS]),
        ({"host": "0.0.0.0", "hosts": "a", "api_keys": f"{KEY},read:{KEY}"}, []),
        ({"api_keys": f"label:{KEY}"}, [READING]),
        ({"api_keys": KEY}, [READING]),
        ({"api_keys": f"metrics:{KEY}"}, []),
    ],
)
def test_a_line_for_each_open_decision(settings: dict[str, str], expected: list[str]) -> None:
    given = Settings.from_environ({f"GATEWAY_{name.upper()}": value for name, value in settings.items()})
    assert [line[: len(start)] for line, start in zip(advice(given), expected, strict=True)] == expected


@pytest.mark.slow
def test_settings_of_the_last_release_start_and_each_line_is_logged_once(
    manifest_folder: Path, fake_server: FakeModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"host": "0.0.0.0", "admin_token": "a", "api_keys": f"label:{KEY}"}
    with Gateway(manifest_folder, fake_server.address, workers=2, **settings):
        pass
    written = capfd.readouterr()
    for line in (HOSTS, OPEN, READING, SHORT):
        assert written.err.count(line) == 1
    assert written.out.count("Administrators' token: ") == 1
    assert "(GATEWAY_ADMIN_TOKEN is too short)" in written.out
