"""Each view as people have it: large and small, light and dark; `make screenshots` keeps the pictures."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.hand import card, draw
from tests.browser.site import Site

SIZES = {"desktop": DESKTOP, "phone": PHONE}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = 64  # of a kept picture


def prepare(page: Page, view: str, default: str) -> None:
    """Bring a view to where there is most to see."""
    if view == "draw":
        draw(page, "2")
        card(page, default).locator(".answers").wait_for()
    elif view == "variants":
        page.locator(".chart").wait_for()
    else:
        page.locator(".empty").wait_for()


def faults(page: Page) -> list[str]:
    """Return what axe finds, a line each; of its doubts those that matter: a target may be too small."""
    answer = Axe().run(page, options=RULES).response
    found = answer["violations"] + [doubt for doubt in answer["incomplete"] if doubt["id"] == "target-size"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def keep(page: Page, name: str) -> None:
    """Write a picture of the page into the folder that SCREENSHOTS names, if it does."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(exist_ok=True)
        picture = Image.open(BytesIO(page.screenshot(full_page=True)))
        picture.convert("RGB").quantize(COLOURS).save(Path(folder) / f"{name}.png", optimize=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_view_is_accessible_and_fits(visit: Visit, site: Site, size: str, theme: str) -> None:
    page = visit(viewport=SIZES[size], color_scheme=theme)
    for view in ("draw", "variants", "experiments"):
        page.goto(f"{page.url.partition('#')[0]}#/{view}")
        prepare(page, view, site.manifest["default"])
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
        keep(page, f"{view}-{size}-{theme}")


def test_forced_colours_keep_what_is_said_by_colour(visit: Visit, site: Site) -> None:
    page = visit(forced_colors="active")
    prepare(page, "draw", site.manifest["default"])
    fill, ground = page.locator(".bars .top rect").first.evaluate(
        "bar => [getComputedStyle(bar).fill, getComputedStyle(document.body).backgroundColor]"
    )
    assert fill != ground
