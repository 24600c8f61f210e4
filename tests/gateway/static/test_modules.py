"""The page's modules are loaded ahead: all that a place imports, and nothing else."""

import json
import re
from pathlib import Path

from flask.testing import FlaskClient

from testing.machine import ROOT

STATIC = ROOT / "serving" / "gateway" / "static"
PAGE = STATIC / "page"
IMPORT = re.compile(r'^import .+ from "(.+)";$', re.MULTILINE)


def imports(module: Path) -> set[Path]:
    """Return what a module imports, directly or not."""
    direct = {(module.parent / name).resolve() for name in IMPORT.findall(module.read_text())}
    return direct.union(*map(imports, direct))


def loaded_by_the_page(client: FlaskClient) -> set[Path]:
    """Return the modules that page.html names."""
    text = client.get("/").text
    return {STATIC / name for name in re.findall(r'"/static/(\S+\.js)"', text)}


def test_the_page_loads_what_the_shell_imports(client: FlaskClient) -> None:
    shell = PAGE / "main.js"
    assert loaded_by_the_page(client) == {shell, PAGE / "i18n" / "en.js"} | imports(shell)


def test_the_first_script_loads_what_else_a_place_imports(client: FlaskClient) -> None:
    table = re.findall(r"const IMPORTS = (\{.*?\n\});", (PAGE / "route.js").read_text(), re.DOTALL)[0]
    hinted: dict[str, list[str]] = json.loads(re.sub(r",\s*\}", "}", table))
    there = loaded_by_the_page(client)
    places = [*(PAGE / "views").glob("*.js"), PAGE / "experiments" / "list.js", PAGE / "experiments" / "create.js"]
    for place in {*places, *(PAGE / f"{name}.js" for name in hinted)}:
        name = place.relative_to(PAGE).with_suffix("").as_posix()
        assert {PAGE / f"{each}.js" for each in hinted.get(name, [])} == imports(place) - there, name
