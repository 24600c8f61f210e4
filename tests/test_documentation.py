"""Keep README, docs/, CHANGELOG.md and the compose file true."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from serving.gateway import VERSION
from serving.gateway.settings import Settings
from testing.machine import ROOT
from training.variants import VARIANTS

GATEWAY = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields}

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "models/README.md"])
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which also names what is gone
README_LINES = 150
CHANGE_WORDS = 25
GENERATED = ("data", "dist", "labels", "runs", ".venv", ".venv-peers")  # folders that a fresh clone has not

FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.M)
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
MODULE = re.compile(r"python -m ([\w.]+)")
# A name in capitals stands for another. Without a folder, a name is a source's or a page's, not that of an output.
FILE = re.compile(r"(?!.*\b[A-Z]+/)(?:(?:[\w.-]+/)+(?:[\w.-]+\.\w+)?|[\w.-]+\.(?:py|md|toml|yml))")


def test_the_container_takes_every_setting_of_the_gateway() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]
    named = {entry.partition("=")[0] for entry in service["environment"]}
    # The image listens on all addresses of the container, at the port that is published.
    assert named - {"PGPASSFILE"} == GATEWAY - {"GATEWAY_HOST", "GATEWAY_PORT"}


def test_every_container_has_bounds() -> None:
    for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].items():
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys(), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_an_image_of_others_does_not_make_the_models_its_own() -> None:
    """Docker gives an empty volume the owner of the image's folder, also where it is mounted read-only."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (models,) = services["model-server"]["volumes"]
    assert models["read_only"] and models["volume"]["nocopy"]


def test_no_password_is_written_down() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name, service in compose["services"].items():
        for entry in service.get("environment", []):
            assert "PASSWORD" not in entry.partition("=")[0] or "=" not in entry or "_FILE=" in entry, (name, entry)
    (url,) = (e for e in compose["services"]["gateway"]["environment"] if e.startswith("GATEWAY_DATABASE_URL="))
    assert urlsplit(url.partition("=")[2]).password is None


def test_readme_shows_every_variant() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [v.name for v in VARIANTS if f"`{v.name}`" not in readme] == []


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def code(page: Path) -> str:
    """Return the code of a page, blocks and spans, a line each."""
    return "\n".join([*FENCE.findall(page.read_text()), *SPAN.findall(prose(page))])


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = (heading.lower().replace(" ", "-") for heading in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w-]", "", title) for title in titles}


def broken(page: Path, link: str) -> bool:
    """Say whether a link leads to no file of the repository, or to no heading of it."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


def folders(page: Path) -> list[Path]:
    """Return the folders against which a page names files: the root, its own, and those that it names."""
    named = [ROOT / span for span in SPAN.findall(prose(page)) if span.endswith("/")]
    return [ROOT, page.parent, *(folder for folder in named if folder.is_dir())]


def missing(page: Path) -> list[str]:
    """Return the files and folders that a page names in backticks and that do not exist."""
    named = {span for span in SPAN.findall(prose(page)) if FILE.fullmatch(span)}
    kept = {span for span in named if span.partition("/")[0] not in GENERATED}
    return sorted(span for span in kept if not any((folder / span).exists() for folder in folders(page)))


def is_module(name: str) -> bool:
    """Say whether `python -m NAME` finds a module of this repository, or one that every environment here has."""
    path = ROOT / name.replace(".", "/")
    return name in ("pip", "pytest") or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_readme_fits_on_three_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [markdown or html for markdown, html in LINK.findall(prose(page))]
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if broken(page, link)] == []


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)
def test_every_make_target_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    assert {"serve", "test"} <= set(targets)
    assert sorted(set(TARGET.findall(code(page))) - set(targets)) == []


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)
def test_every_command_of_python_exists(page: Path) -> None:
    assert [name for name in MODULE.findall(code(page)) if not is_module(name)] == []


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)
def test_every_path_in_backticks_exists(page: Path) -> None:
    assert missing(page) == []


def test_every_page_can_be_reached_from_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            links = [markdown or html for markdown, html in LINK.findall(prose(page))]
            files = [(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link]
            waiting += [file for file in files if file.is_file()]
    assert [page.name for page in PAGES if page not in reached] == []


def test_the_changelog_has_short_lines_and_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    lines = [line for line in changelog.splitlines() if line.startswith("- ")]
    assert [line for line in lines if len(line.split()) - 1 > CHANGE_WORDS] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.search(rf"^## {re.escape(project['version'])} – \d{{4}}-\d\d-\d\d$", changelog, re.M)
    assert project["version"] == VERSION
