"""Print the page of all settings: `python -m serving.gateway.commands.settings > docs/settings.md`."""

from collections.abc import Iterable, Iterator
from dataclasses import fields

from serving.gateway.settings import Settings, usable, variable

Row = tuple[str, str, str, str]  # variable, default, meaning, values

INTRODUCTION = """\
# Settings

<!-- Written by `python -m serving.gateway.commands.settings`; edit the tables' sources instead. -->

Both services read environment variables once, at start. `make` also takes them from a file `.env`, and
`docker compose up` the gateway's; [`.env.example`](../.env.example) lists all. An unusable value ends the gateway's
start with one line: the variable, its value, usable values and the default.
"""
GATEWAY = """
## Gateway

`docker-compose.yml` fixes the addresses and folders of its containers.
[Deployment](deployment.md#settings) lists its own variables, `DROPSERVE_…`.
"""
MODEL_SERVER = """
## Embedded model server

Its flags are those of TF Serving: `python -m serving.model_server --help`. Each is also a variable, and a flag goes
before its variable. `make serve` sets the gateway's Unix socket and the folder of models, and leaves both ports closed
unless their variables are set.
"""


def page() -> str:
    """Return the page in Markdown."""
    return "".join([INTRODUCTION, GATEWAY, *_table(_gateway()), MODEL_SERVER, *_table(_model_server())])


def _gateway() -> Iterator[Row]:
    for name, row in Settings.model_fields.items():
        yield variable(name), str(row.default), row.description or "", usable(row) or "any text"


def _model_server() -> Iterator[Row]:
    # Another service, which the gateway's image lacks; the page is written where all sources are.
    from serving.model_server.configuration import settings as flags

    for row in fields(flags.Settings):
        default = f"{row.default:g}" if isinstance(row.default, float) else str(row.default)
        if isinstance(row.default, bool):
            default = default.lower()
        yield flags.ENVIRONMENT_PREFIX + row.name.upper(), default, row.metadata["help"], flags.usable(row)


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield "\n| variable | default | meaning | values |\n|---|---|---|---|\n"
    for name, default, meaning, values in rows:
        yield f"| `{name}` | {f'`{default}`' if default else 'none'} | {meaning} | {values} |\n"


if __name__ == "__main__":
    print(page(), end="")
