from pathlib import Path
from typing import Any

import pytest

from serving.gateway.access.advice import advice
from serving.gateway.access.api_keys import digest
from serving.gateway.settings import Settings
from testing.fake_model_server import FakeModelServer
from testing.running_gateway import WarmGateway

TOKEN, KEY = "x" * 16, digest("one")
ALL = f"{KEY},read:{KEY},metrics:{KEY}"
REACH = "GATEWAY_HOST=0.0.0.0 lets everybody who reaches the port"
HOSTS = "GATEWAY_HOST=0.0.0.0 lets others in, but requests by other names than localhost and the gateway's own address"
OPEN, METRICS, RATE = f"{REACH} predict and label", f"{REACH} read /metrics", f"{REACH} send as many requests"
PROXIED = (
    "GATEWAY_TRUSTED_PROXIES lets others in, but requests by other names than localhost and the gateway's own address "
    "get 421: name the hosts that clients call in GATEWAY_HOSTS, and have the proxy pass the Host header on."
)
BOTH = PROXIED.replace("GATEWAY_TRUSTED_PROXIES", "GATEWAY_HOST=::")
PROXY = "GATEWAY_TRUSTED_PROXIES lets everybody who reaches the proxy"
PROXY_OPEN, PROXY_METRICS, PROXY_RATE = f"{PROXY} predict", f"{PROXY} read /metrics", f"{PROXY} send as many requests"
ANY_HOST, ANY_ORIGIN = "GATEWAY_HOSTS=* lets any web page", "GATEWAY_CORS_ORIGINS=* lets pages of any site"
READING = "GATEWAY_API_KEYS closes experiments, reports, the label queue and labels to all but administrators and label"
SHORT = "GATEWAY_ADMIN_TOKEN is shorter than 16 characters and opens nothing; a random token is printed instead"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"host": "localhost"}, []),
        ({"host": "[::1]"}, []),
        ({"host": "::1"}, []),
        ({"trusted_proxies": "10.0.0.1"}, [PROXIED, PROXY_OPEN, PROXY_METRICS, PROXY_RATE]),
        ({"trusted_proxies": "10.0.0.1", "hosts": "a", "rate_limit": "9", "api_keys": ALL}, []),
        ({"host": "::", "trusted_proxies": "10.0.0.1", "rate_limit": "9", "api_keys": ALL}, [BOTH]),
        ({"admin_token": TOKEN}, []),
        ({"admin_token": TOKEN[1:]}, [SHORT]),
        ({"host": "0.0.0.0"}, [HOSTS, OPEN, METRICS, RATE]),
        ({"host": "0.0.0.0", "hosts": "a", "rate_limit": "9"}, [OPEN, METRICS]),
        ({"host": "0.0.0.0", "hosts": "a", "rate_limit": "9", "api_keys": f"{KEY},read:{KEY}"}, [METRICS]),
        ({"host": "0.0.0.0", "hosts": "a", "rate_limit": "9", "api_keys": f"admin:{KEY},metrics:{KEY}"}, [OPEN]),
        ({"host": "0.0.0.0", "hosts": "a", "rate_limit": "9", "api_keys": ALL}, []),
        ({"hosts": "*", "cors_origins": "*"}, [ANY_HOST, ANY_ORIGIN]),
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
    with WarmGateway(manifest_folder, fake_server.address, workers=2, **settings):
        pass
    written = capfd.readouterr()
    for line in (HOSTS, OPEN, METRICS, RATE, READING, SHORT):
        assert written.err.count(line) == 1
    assert written.out.count("Administrators' token: ") == 1
    assert "(GATEWAY_ADMIN_TOKEN is too short)" in written.out
