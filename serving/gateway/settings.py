"""Read the gateway's settings, once, from environment variables named GATEWAY_…."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from PIL import Image
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import URL

from serving.gateway.access.api_keys import Keys, UnknownScope, read_keys
from serving.gateway.access.cors import origins
from serving.gateway.access.hosts import read_hosts
from serving.gateway.access.proxies import Network, networks
from serving.gateway.store.engine import DATABASES, database_url
from serving.gateway.store.retention import Quotas
from serving.gateway.webhooks.addresses import RefusedAddress, check_url
from serving.gateway.webhooks.signature import check_secrets

PREFIX = "GATEWAY_"
SECRETS = (SecretStr, URL)  # types whose values no message shows
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # of an image that Pillow opens
HIDDEN = "hidden"  # marks another type whose values no message shows


class SettingsError(ValueError):
    """An unusable value of a setting; the text is one line: variable, value, usable values, default."""


class Unusable(ValueError):
    """A value whose error says more than the usable values of its type."""


class Must(NamedTuple):
    """The usable values of a type, in words."""

    text: str


def matching(pattern: str) -> BeforeValidator:
    """Return a check that text matches all of `pattern`; other values pass."""

    def check(value: object) -> object:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError(value)
        return value

    return BeforeValidator(check)


def grpc_target(text: str) -> str:
    """Return an address that grpcio connects to; raise ValueError for other text."""
    scheme, _, path = text.partition(":")
    host, _, port = text.rpartition(":")
    has_port = host and port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 2**16
    if not has_port and not (scheme == "unix" and path):
        raise ValueError(text)
    return text


def token(text: object) -> object:
    """Return text without the space around it, such as a file's last line end; raise ValueError for no token."""
    found = text.strip() if isinstance(text, str) else text
    if isinstance(found, str) and not re.fullmatch("[!-~]*", found):
        raise ValueError(text)
    return found


URL_OF_HTTP = r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+)(:[0-9]+)?(/\S*)?"

Whole = Annotated[int, matching("[0-9]+")]
Truth = Annotated[bool, matching("true|false"), Must("true or false")]
Text = Annotated[str, matching(".+"), Must("some text")]
File = Annotated[Path, matching(".+"), Must("some text")]
GrpcTarget = Annotated[str, BeforeValidator(grpc_target), Must("host:port, [address]:port or unix:/path")]
HttpUrl = Annotated[str, matching(f"({URL_OF_HTTP})?"), Must("an http or https URL")]
WebhookUrl = Annotated[HttpUrl, HIDDEN]  # such paths are often secret
DatabaseUrl = Annotated[URL, BeforeValidator(database_url), Must(DATABASES)]
ApiKeys = Annotated[
    Keys,
    BeforeValidator(read_keys),
    Must("SHA-256 digests of 64 hexadecimal digits, alone or after a scope as in label:DIGEST, separated by commas"),
]
Networks = Annotated[
    tuple[Network, ...],
    BeforeValidator(networks),
    Must("addresses or networks such as 10.0.0.0/8, separated by commas"),
]
Hosts = Annotated[
    frozenset[str],
    BeforeValidator(read_hosts),
    Must("names or addresses such as digits.example.org, without a port, separated by commas, or *"),
]
Origins = Annotated[
    frozenset[str], BeforeValidator(origins), Must("origins such as https://example.com, separated by commas, or *")
]
Secrets = Annotated[
    SecretStr,
    BeforeValidator(check_secrets),
    Must("`whsec_` and 24 to 64 bytes in base64; up to 3 of them, separated by spaces"),
]
Token = Annotated[SecretStr, BeforeValidator(token), Must("printable ASCII characters without a space")]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], Must("one of debug, info, warning, error")]


def setting(default: str | int, meaning: str, **limits: Any) -> Any:
    """Declare one row of the table: default as in the environment, meaning, and inclusive limits `ge` and `le`."""
    return Field(default, description=meaning, **limits)


class Settings(BaseSettings):
    """One row a setting: its name in lower case, type, default, meaning and limits."""

    # The types read all text themselves; pydantic-settings would take that of collections for JSON.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, enable_decoding=False, arbitrary_types_allowed=True, protected_namespaces=()
    )

    models_dir: File = setting(
        "models",
        "Folder of published models and `manifest.json`; `make serve` and `make train` publish into it",
    )
    model_server: GrpcTarget = setting(
        "127.0.0.1:8500", "gRPC address of the model server: `host:port` or `unix:/path`"
    )
    deadline_ms: Whole = setting(2000, "Milliseconds a request may wait for the model server", ge=10, le=600_000)
    max_body_bytes: Whole = setting(8 * 2**20, "Largest request body, in bytes", ge=1024, le=2**30)
    max_other_body_bytes: Whole = setting(
        2**20, "Largest body of a request that carries no images, in bytes", ge=1024, le=2**30
    )
    max_buffered_bytes: Whole = setting(
        64 * 2**20,
        "Most bytes of requests that a worker holds at once, half of them for one client; it refuses more with 503. "
        "At least twice the largest body",
        ge=1024,
        le=2**36,
    )
    max_pixels: Whole = setting(
        25_000_000, "Largest encoded image, in pixels; WebP, which takes more memory, a fourth", ge=1, le=MOST_PIXELS
    )
    max_request_pixels: Whole = setting(
        100_000_000, "Most pixels of all encoded images of one request together", ge=1, le=2**32
    )
    max_instances: Whole = setting(1024, "Most images in one request", ge=1, le=100_000)
    max_in_flight: Whole = setting(
        256, "Most predictions that a worker handles at once; it refuses more with 429", ge=1, le=100_000
    )
    uncertainty_samples: Whole = setting(50, "Stochastic passes behind `?uncertainty=true`", ge=30, le=1000)
    host: Text = setting("127.0.0.1", "Address to listen on")
    port: Whole = setting(8080, "Port to listen on", ge=1, le=65_535)
    workers: Whole = setting(2, "Worker processes", ge=1, le=256)
    threads: Whole = setting(
        16, "Threads in a worker, for all but predictions; an eighth of them for one client", ge=1, le=1024
    )
    connections: Whole = setting(
        1000,
        "Connections that a worker holds at once; with one more, the one that is idle longest is closed",
        ge=1,
        le=1_000_000,
    )
    connections_per_client: Whole = setting(
        500, "Connections that one client's address may have at a worker; trusted proxies may have all", ge=1,
        le=1_000_000,
    )  # fmt: skip
    decode_seconds: Whole = setting(10, "Seconds that the images of a request may take to decode", ge=1, le=3600)
    keepalive_seconds: Whole = setting(
        65, "Seconds a connection may be idle, or take over the head of a request", ge=1, le=3600
    )
    client_seconds: Whole = setting(
        30, "Seconds a client may take to send a body, or to take its answer", ge=1, le=3600
    )
    max_line_bytes: Whole = setting(4094, "Longest target of a request, in bytes", ge=256, le=8190)
    max_headers: Whole = setting(
        100, "Most header fields of a request; the whole head has 64 KiB at most", ge=8, le=32_768
    )
    max_header_bytes: Whole = setting(8190, "Longest header field, in bytes", ge=256, le=65_536)
    database_url: DatabaseUrl = setting(
        "sqlite:///experiments.db",
        "Database of the experiments: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`",
    )
    admin_token: Token = setting(
        "",
        "Bearer token of administrators, of at least 16 characters; none or a shorter one: one is made and printed at "
        "start",
    )
    api_keys: ApiKeys = setting(
        "",
        "SHA-256 digests of keys (`make api-key`): `DIGEST` of a client, or one with a scope, `read:DIGEST`, "
        "`label:DIGEST`, `metrics:DIGEST` or `admin:DIGEST`; [security](security.md#roles) says what each opens",
    )
    rate_limit: Whole = setting(0, "Requests a minute from one client to each worker; 0: no limit", ge=0, le=1_000_000)
    rate_burst: Whole = setting(60, "Requests from one client at once, where there is a rate", ge=1, le=1_000_000)
    failed_logins: Whole = setting(
        10,
        "Wrong tokens and keys a minute from one client to each worker; more get 429, valid ones pass",
        ge=1,
        le=1_000_000,
    )
    hosts: Hosts = setting(
        "", "Names and addresses, besides those of this machine, by which clients reach the gateway, or `*`"
    )
    trusted_proxies: Networks = setting("", "Addresses or networks of proxies whose `X-Forwarded-For` names the client")
    cors_origins: Origins = setting("", "Other origins whose pages may call the API, or `*`")
    retention_days: Whole = setting(
        30, "Days to keep exposures, images without a label, and labels outside experiments; 0: for ever", ge=0,
        le=36_500,
    )  # fmt: skip
    max_exposures: Whole = setting(
        10_000_000,
        "Most exposures, and images without a label, to keep; the oldest are deleted first",
        ge=1000,
        le=10**12,
    )
    max_labels: Whole = setting(
        1_000_000, "Most labels outside experiments to keep; the oldest are deleted first", ge=1000, le=10**12
    )
    keep_labelled: Whole = setting(
        0,
        "Most labelled images to keep for [learning](learning.md), and as many that wait for a label; 0: none",
        ge=0,
        le=100_000,
    )
    keep_hours: Whole = setting(24, "Hours that an image kept for learning waits for its label", ge=1, le=8760)
    traces_endpoint: HttpUrl = setting(
        "", "OTLP/HTTP address for traces, such as `http://collector:4318/v1/traces`; none: no traces"
    )
    webhook_allow: Networks = setting(
        "", "Addresses or networks that a webhook may lead to though they are loopback, link-local or of metadata"
    )
    webhook_secret: Secrets = setting(
        "", "Secrets that sign webhooks by Standard Webhooks: `echo whsec_$(openssl rand -base64 32)`"
    )
    webhook_url: WebhookUrl = setting(
        "", "Receiver of [webhooks](experiments.md#webhooks); needs a secret; none: no webhooks"
    )
    queue_hours: Whole = setting(
        24, "Hours that an image may wait for its label before a webhook says so", ge=1, le=168
    )
    study_report: File = setting("runs/study/report.html", "The report of `make study`, which `/study` serves")
    log_level: LogLevel = setting("info", "Least severe log line to write")
    access_log: Truth = setting("true", "Whether to log each request, in a line of level info")

    @field_validator("webhook_url")
    @classmethod
    def _may_be_called(cls, url: str, info: ValidationInfo) -> str:
        if url and "webhook_secret" in info.data and not info.data["webhook_secret"].get_secret_value():
            raise Unusable("it needs a secret in GATEWAY_WEBHOOK_SECRET")
        try:
            return check_url(url, info.data.get("webhook_allow", ())) if url else url
        except RefusedAddress as error:
            raise Unusable(str(error)) from error

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`; raise SettingsError for an unusable value."""
        given: dict[str, Any] = {
            name: environ[variable(name)] for name in cls.model_fields if variable(name) in environ
        }
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError(_unusable(cls.model_fields, error)) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the values of `from_environ` alone."""
        return (init_settings,)

    @property
    def retention(self) -> Quotas:
        """Return the quotas that retention holds rows to."""
        return Quotas(
            self.retention_days or None, self.max_exposures, self.max_labels, self.keep_labelled, self.keep_hours
        )  # fmt: skip

    @property
    def logs_access(self) -> bool:
        """Whether requests are logged."""
        return self.access_log and self.log_level in ("debug", "info")


def variable(name: str) -> str:
    """Return the environment variable of a setting, such as GATEWAY_MODELS_DIR."""
    return PREFIX + name.upper()


def usable(row: FieldInfo) -> str:
    """Return the usable values of a row in words, empty for any text."""
    if row.annotation is int:
        limits = {side: getattr(item, side) for item in row.metadata for side in ("ge", "le") if hasattr(item, side)}
        return f"a whole number from {limits['ge']} to {limits['le']}"
    return next((item.text for item in row.metadata if isinstance(item, Must)), "")


def _unusable(table: Mapping[str, FieldInfo], error: ValidationError) -> str:
    """Say in one line which value is unusable, and what it must be."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    row = table[name]
    given = "" if row.annotation in SECRETS or HIDDEN in row.metadata else f"={first['input']!r}"
    default = row.default if row.default != "" else "none"
    cause = first.get("ctx", {}).get("error")
    why = f"; {cause}" if isinstance(cause, UnknownScope | Unusable) else ""
    return f"{variable(name)}{given} cannot be used: it must be {usable(row)} (default {default}){why}"
