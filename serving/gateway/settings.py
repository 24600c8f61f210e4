"""The gateway's settings: one table, read once from environment variables named GATEWAY_…."""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Self

from serving.gateway.access.api_keys import digests
from serving.gateway.access.cors import origins
from serving.gateway.access.proxies import networks
from serving.gateway.inference.tf_serving.channel import parse_address
from serving.gateway.telemetry.tracing import url

PREFIX = "GATEWAY_"
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(ValueError):
    """A setting whose value cannot be used; the text is one line that names it."""


def setting(
    default: Any,
    help: str,
    *,
    least: int | None = None,
    most: int | None = None,
    choices: tuple = (),
    secret: bool = False,
    read: Callable[[str], object] = str,
    must: str = "",
) -> Any:
    """Declare one row of the table; `least` and `most` are inclusive, `read` raises ValueError where `must` fails."""
    metadata = {"help": help, "least": least, "most": most, "choices": choices, "read": read, "must": must}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One row a setting: its name in lower case, type, default, limits and help."""

    models_dir: str = setting("models", "Folder that the training job publishes to; holds `manifest.json`")
    model_server: str = setting(
        "127.0.0.1:8500",
        "gRPC address of the model server: `host:port` or `unix:/path`",
        read=parse_address,
        must="host:port, [address]:port or unix:/path",
    )
    deadline_ms: int = setting(2000, "Milliseconds a request may wait for the model server", least=10, most=600_000)
    max_body_bytes: int = setting(8 * 2**20, "Largest request body, in bytes", least=1024, most=2**30)
    max_pixels: int = setting(25_000_000, "Largest encoded image, in pixels", least=1, most=2**30)
    max_request_pixels: int = setting(
        100_000_000, "Most pixels that the encoded images of one request may have together", least=1, most=2**32
    )
    max_instances: int = setting(1024, "Most images in one request", least=1, most=100_000)
    max_in_flight: int = setting(
        256, "Most predictions that a worker works on at once; more are refused with 429", least=1, most=100_000
    )
    uncertainty_samples: int = setting(50, "Stochastic passes behind `?uncertainty=true`", least=30, most=1000)
    host: str = setting("127.0.0.1", "Address to listen on")
    port: int = setting(8080, "Port to listen on", least=0, most=65_535)
    workers: int = setting(2, "Worker processes", least=1, most=256)
    threads: int = setting(16, "Threads in a worker, for all but predictions, which need none", least=1, most=1024)
    connections: int = setting(1000, "Connections that a worker holds at once; more wait", least=1, most=1000000)
    keepalive_seconds: int = setting(
        65, "Seconds a connection may be idle, or take over the head of a request", least=1, most=3600
    )
    client_seconds: int = setting(
        30, "Seconds a client may take to send a body, or to take its answer", least=1, most=3600
    )
    max_line_bytes: int = setting(4094, "Longest first line of a request, in bytes", least=256, most=8190)
    max_headers: int = setting(100, "Most header fields of a request", least=8, most=32768)
    max_header_bytes: int = setting(8190, "Longest header field, in bytes", least=256, most=65536)
    database_url: str = setting(
        "sqlite:///experiments.db",
        "Where experiments are kept: `sqlite:///FILE`, `postgresql://USER:PASSWORD@HOST/NAME`",
    )
    admin_token: str = setting(
        "", "What administrators' calls have to bear; made at start, and printed, if there is none", secret=True
    )
    api_keys: str = setting(
        "",
        "SHA-256 digests of the keys of which `/predict` and `/compare` want one; none if empty (`make api-key`)",
        read=digests,
        must="SHA-256 digests of 64 hexadecimal digits, separated by commas",
    )
    rate_limit: int = setting(
        0, "Requests a minute from one client to each worker; 0 is any number", least=0, most=1_000_000
    )
    rate_burst: int = setting(60, "Requests from one client at once, where there is a rate", least=1, most=1_000_000)
    trusted_proxies: str = setting(
        "",
        "Proxies, as addresses or networks, whose `X-Forwarded-For` tells the client's address",
        read=networks,
        must="addresses or networks such as 10.0.0.0/8, separated by commas",
    )
    cors_origins: str = setting(
        "",
        "Other origins whose pages may call the API, or `*`",
        read=origins,
        must="origins such as https://example.com, separated by commas, or *",
    )
    traces_endpoint: str = setting(
        "",
        "OTLP/HTTP address that traces are sent to, such as `http://collector:4318/v1/traces`; none if empty",
        read=url,
        must="an http or https URL",
    )
    study_report: str = setting(
        "runs/study/report.html", "The report of `make study`, which `/study` gives if it is there"
    )
    log_level: str = setting("info", "Least severe log line that is written", choices=LOG_LEVELS)
    access_log: bool = setting(True, "Whether each request is logged, in a line of level info")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`; a value that cannot be used raises SettingsError."""
        given: dict[str, Any] = {
            row.name: _parse(row, environ[variable(row)]) for row in fields(cls) if variable(row) in environ
        }
        return cls(**given)

    @property
    def logs_access(self) -> bool:
        """Whether requests are logged."""
        return self.access_log and self.log_level in ("debug", "info")


def variable(row: Field) -> str:
    """Return the environment variable of one row of the table, such as GATEWAY_MODELS_DIR."""
    return PREFIX + row.name.upper()


def _parse(row: Field, text: str) -> bool | int | str:
    problem = f"{variable(row)}={text!r} cannot be used: it must be"
    if row.type is int:
        least, most = row.metadata["least"], row.metadata["most"]
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
            raise SettingsError(f"{problem} a whole number from {least} to {most} (default {row.default})")
        return int(text)
    if row.type is bool:
        if text not in ("true", "false"):
            raise SettingsError(f"{problem} true or false (default {str(row.default).lower()})")
        return text == "true"
    choices = row.metadata["choices"]
    if choices and text not in choices:
        raise SettingsError(f"{problem} one of {', '.join(choices)} (default {row.default})")
    try:
        row.metadata["read"](text)
    except ValueError as error:
        raise SettingsError(f"{problem} {row.metadata['must']} (default {row.default or 'none'})") from error
    if not text and row.default:
        raise SettingsError(f"{problem} some text (default {row.default})")
    return text
