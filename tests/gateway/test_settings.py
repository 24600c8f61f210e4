from dataclasses import fields
from pathlib import Path

import pytest

from serving.gateway.settings import Settings, SettingsError, variable

ROOT = Path(__file__).parents[2]
VARIABLES = [variable(row) for row in fields(Settings)]


def test_what_is_not_given_has_its_default_and_foreign_variables_are_ignored() -> None:
    assert Settings.from_environ({"GATEWAY_PORT": "81", "PORT": "1"}) == Settings(port=81)


@pytest.mark.parametrize(
    ("name", "value", "must"),
    [
        ("GATEWAY_MODEL_SERVER", "model-server", "host:port, [address]:port or unix:/path"),
        ("GATEWAY_PORT", "http", "a whole number from 0 to 65535 (default 8080)"),
        ("GATEWAY_PORT", "65536", "a whole number from 0 to 65535 (default 8080)"),
        ("GATEWAY_WORKERS", "-1", "a whole number from 1 to 256 (default 2)"),
        ("GATEWAY_WORKERS", "", "a whole number from 1 to 256 (default 2)"),
        ("GATEWAY_WORKERS", "²", "a whole number from 1 to 256 (default 2)"),
        ("GATEWAY_MAX_PIXELS", "9" * 5000, "a whole number from 1 to"),
        ("GATEWAY_LOG_LEVEL", "loud", "one of debug, info, warning, error (default info)"),
        ("GATEWAY_API_KEYS", "secret", "SHA-256 digests of 64 hexadecimal digits, separated by commas (default none)"),
        ("GATEWAY_TRUSTED_PROXIES", "all", "addresses or networks such as 10.0.0.0/8, separated by commas"),
        ("GATEWAY_CORS_ORIGINS", "a.example", "origins such as https://example.com, separated by commas, or *"),
        ("GATEWAY_TRACES_ENDPOINT", "collector:4318", "an http or https URL (default none)"),
        ("GATEWAY_ACCESS_LOG", "yes", "true or false (default true)"),
        ("GATEWAY_MODELS_DIR", "", "some text (default models)"),
    ],
)
def test_a_bad_value_is_an_error_that_names_setting_value_and_remedy(name: str, value: str, must: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({name: value})
    assert str(caught.value).startswith(f"{name}={value!r} cannot be used: it must be {must}")


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_every_setting_is_documented(document: str, name: str) -> None:
    assert name in (ROOT / document).read_text()


def test_the_example_gives_the_defaults() -> None:
    lines = [line.lstrip("# ") for line in (ROOT / ".env.example").read_text().splitlines() if "GATEWAY_" in line]
    stated = dict(line.split("=", 1) for line in lines if line.startswith("GATEWAY_"))
    for row in fields(Settings):
        default = str(row.default)
        assert stated[variable(row)] == (default.lower() if row.type is bool else default)
