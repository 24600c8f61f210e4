from ipaddress import ip_network
from pathlib import Path

import pytest

from serving.gateway.settings import Settings, SettingsError, variable

ROOT = Path(__file__).parents[2]
VARIABLES = [variable(name) for name in Settings.model_fields]
DIGEST, LABEL_DIGEST = "0a" * 32, "0b" * 32
KEYS = "SHA-256 digests of 64 hexadecimal digits, alone or after a scope as in label:DIGEST, separated by commas"


def test_what_is_not_given_has_its_default_and_foreign_variables_are_ignored() -> None:
    assert Settings.from_environ({"GATEWAY_PORT": "81", "PORT": "1"}) == Settings(port=81)


def test_the_process_environment_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "81")
    assert Settings.from_environ({}).port == 8080


def test_values_are_parsed_once() -> None:
    settings = Settings.from_environ(
        {
            "GATEWAY_MODELS_DIR": "/models",
            "GATEWAY_API_KEYS": f"{DIGEST}, {DIGEST.upper()},label:{LABEL_DIGEST}",
            "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8,::1",
            "GATEWAY_CORS_ORIGINS": "https://example.com:8443",
            "GATEWAY_ACCESS_LOG": "false",
        }
    )
    assert settings.models_dir == Path("/models")
    assert settings.api_keys == {DIGEST: {"predict"}, LABEL_DIGEST: {"label"}}
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.cors_origins == {"https://example.com:8443"}
    assert settings.database_url.database == "experiments.db"
    assert settings.access_log is False


def test_the_line_end_of_a_files_token_is_none_of_it() -> None:
    found = Settings.from_environ({"GATEWAY_ADMIN_TOKEN": " a-token-from-a-file\n"})
    assert found.admin_token.get_secret_value() == "a-token-from-a-file"


def test_origins_are_as_browsers_send_them() -> None:
    given = "https://Example.com,https://example.org:443,http://a.example:80,http://b.example:443,*"
    assert Settings.from_environ({"GATEWAY_CORS_ORIGINS": given}).cors_origins == {
        "https://example.com", "https://example.org", "http://a.example", "http://b.example:443", "*",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["two words of a token", "töken-of-administrators"])
def test_a_token_that_no_client_can_send_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"GATEWAY_ADMIN_TOKEN": value})
    assert str(caught.value) == (
        "GATEWAY_ADMIN_TOKEN cannot be used: it must be printable ASCII characters without a space (default none)"
    )


@pytest.mark.parametrize("text", ["model-server:8500", "[::1]:1", "unix:/run/models.sock"])
def test_addresses_of_the_model_server(text: str) -> None:
    assert Settings.from_environ({"GATEWAY_MODEL_SERVER": text}).model_server == text


@pytest.mark.parametrize(
    ("name", "value", "must"),
    [
        *(
            ("GATEWAY_MODEL_SERVER", value, "host:port, [address]:port or unix:/path (default 127.0.0.1:8500)")
            for value in ("", "model-server", ":8500", "host:", "host:0", "host:65536", "host:x", "host:²", "unix:")
        ),
        ("GATEWAY_PORT", "http", "a whole number from 1 to 65535 (default 8080)"),
        ("GATEWAY_PORT", "65536", "a whole number from 1 to 65535 (default 8080)"),
        ("GATEWAY_PORT", "0", "a whole number from 1 to 65535 (default 8080)"),
        ("GATEWAY_PORT", " 81", "a whole number from 1 to 65535 (default 8080)"),
        ("GATEWAY_PORT", "81.0", "a whole number from 1 to 65535 (default 8080)"),
        ("GATEWAY_WORKERS", "-1", "a whole number from 1 to 256 (default 2)"),
        ("GATEWAY_WORKERS", "", "a whole number from 1 to 256 (default 2)"),
        ("GATEWAY_WORKERS", "²", "a whole number from 1 to 256 (default 2)"),
        ("GATEWAY_MAX_PIXELS", "9" * 5000, "a whole number from 1 to"),
        ("GATEWAY_LOG_LEVEL", "loud", "one of debug, info, warning, error (default info)"),
        ("GATEWAY_API_KEYS", "secret", f"{KEYS} (default none)"),
        ("GATEWAY_API_KEYS", "label:secret", f"{KEYS} (default none)"),
        (
            "GATEWAY_API_KEYS",
            f"{DIGEST},all:{LABEL_DIGEST}",
            f"{KEYS} (default none); there is no scope 'all'; there are predict, read, label, metrics, admin",
        ),
        ("GATEWAY_TRUSTED_PROXIES", "all", "addresses or networks such as 10.0.0.0/8, separated by commas"),
        ("GATEWAY_CORS_ORIGINS", "a.example", "origins such as https://example.com, separated by commas, or *"),
        ("GATEWAY_TRACES_ENDPOINT", "collector:4318", "an http or https URL (default none)"),
        ("GATEWAY_TRACES_ENDPOINT", "http://[", "an http or https URL (default none)"),
        ("GATEWAY_ACCESS_LOG", "yes", "true or false (default true)"),
        ("GATEWAY_MODELS_DIR", "", "some text (default models)"),
    ],
)
def test_a_bad_value_is_an_error_that_names_setting_value_and_remedy(name: str, value: str, must: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({name: value})
    assert str(caught.value).startswith(f"{name}={value!r} cannot be used: it must be {must}")


@pytest.mark.parametrize("url", ["", "mysql://me:hidden@host/x", "postgresql://me:hidden@host:port/x", "sqlite://"])
def test_an_unusable_database_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"GATEWAY_DATABASE_URL": url})
    assert str(caught.value) == (
        "GATEWAY_DATABASE_URL cannot be used: it must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE "
        "(default sqlite:///experiments.db)"
    )


def test_secrets_are_never_shown() -> None:
    settings = Settings.from_environ(
        {"GATEWAY_ADMIN_TOKEN": "hidden", "GATEWAY_DATABASE_URL": "postgresql://me:hidden@host/x"}
    )
    assert "hidden" not in f"{settings!r} {settings} {settings.database_url} {settings.admin_token}"
    assert settings.admin_token.get_secret_value() == settings.database_url.password == "hidden"


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("document", ["docs/settings.md", ".env.example"])
def test_every_setting_is_documented(document: str, name: str) -> None:
    assert name in (ROOT / document).read_text()


def test_the_example_gives_the_defaults() -> None:
    lines = [line.lstrip("# ") for line in (ROOT / ".env.example").read_text().splitlines() if "GATEWAY_" in line]
    stated = dict(line.split("=", 1) for line in lines if line.startswith("GATEWAY_"))
    assert stated == {variable(name): str(row.default) for name, row in Settings.model_fields.items()}
