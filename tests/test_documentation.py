"""README, .env.example and the compose file name exactly the settings and commands that exist."""

import re
from dataclasses import fields

import pytest
import yaml

from serving.gateway.settings import Settings as GatewaySettings
from serving.model_server.configuration.settings import ENVIRONMENT_PREFIX
from serving.model_server.configuration.settings import Settings as ModelServerSettings
from testing.machine import ROOT
from training.variants import VARIANTS

GATEWAY = {f"GATEWAY_{name.upper()}": row.default for name, row in GatewaySettings.model_fields.items()}
MODEL_SERVER = {f"{ENVIRONMENT_PREFIX}{row.name.upper()}": row.default for row in fields(ModelServerSettings)}


def text(default: object) -> str:
    """Return a default as it is written in documents."""
    return (
        str(default).lower()
        if isinstance(default, bool)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


@pytest.mark.parametrize(("name", "default"), {**GATEWAY, **MODEL_SERVER}.items())
def test_readme_lists_every_setting_with_its_default(name: str, default: object) -> None:
    assert f"| `{name}` | `{text(default)}` |" in (ROOT / "README.md").read_text()


def test_the_container_takes_every_setting_of_the_gateway() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]
    named = {entry.partition("=")[0] for entry in service["environment"]}
    # The image listens on all addresses of the container, at the port that is published.
    assert named == GATEWAY.keys() - {"GATEWAY_HOST", "GATEWAY_PORT"}


def test_readme_knows_every_command_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    readme = (ROOT / "README.md").read_text()
    assert {"serve", "test"} <= set(targets)
    assert [t for t in set(re.findall(r"make ([a-z][a-z-]+)", readme)) if t not in targets] == []


def test_readme_shows_every_variant() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [v.name for v in VARIANTS if f"`{v.name}`" not in readme] == []
