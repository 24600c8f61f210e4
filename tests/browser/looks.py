"""How a view looks: large and small, light and dark, to a screen reader, and in README's pictures."""

import os
from io import BytesIO
from itertools import product
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE

SIZES = {"desktop": DESKTOP, "phone": PHONE}
# Colours depend on the theme, and places on the size, so two pairs show all; the pictures of docs/ want all four.
FOLDER = os.environ.get("SCREENSHOTS")
LOOKS = list(product(SIZES, ("light", "dark"))) if FOLDER else [("desktop", "light"), ("phone", "dark")]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = 64  # of a kept picture


def faults(page: Page) -> list[str]:
    """Return what axe finds, a line each; of its doubts those that matter: a target may be too small."""
    answer = Axe().run(page, options=RULES).response
    found = answer["violations"] + [doubt for doubt in answer["incomplete"] if doubt["id"] == "target-size"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def width(page: Page) -> int:
    """Return how wide a page is, in CSS pixels; what is wider than the window scrolls sideways."""
    return page.evaluate("document.documentElement.scrollWidth")


def menu_rows(page: Page) -> int:
    """Return how many rows the menu takes."""
    return page.locator("header nav a").evaluate_all("links => new Set(links.map(link => link.offsetTop)).size")


def keep(page: Page, name: str) -> None:
    """Write a picture of the page into the folder that SCREENSHOTS names, if it does."""
    if FOLDER:
        Path(FOLDER).mkdir(exist_ok=True)
        picture = Image.open(BytesIO(page.screenshot(full_page=True)))
        picture.convert("RGB").quantize(COLOURS).save(Path(FOLDER) / f"{name}.png", optimize=True)
