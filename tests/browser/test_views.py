"""Each view as people have it: large and small, light and dark; `make screenshots` keeps the pictures."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visit
from tests.browser.hand import card, draw
from tests.browser.looks import LOOKS, SIZES, faults, keep, menu_rows, width
from tests.browser.site import Site


def prepare(page: Page, view: str, default: str) -> None:
    """Bring a view to where there is most to see."""
    if view == "draw":
        draw(page, "2")
        card(page, default).locator(".answers").wait_for()
    elif view == "variants":
        page.locator(".chart").wait_for()
    else:
        page.locator(".empty").wait_for()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_every_view_is_accessible_and_fits(visit: Visit, site: Site, size: str, theme: str) -> None:
    page = visit(viewport=SIZES[size], color_scheme=theme)
    for view in ("draw", "variants", "experiments"):
        page.goto(f"{page.url.partition('#')[0]}#/{view}")
        prepare(page, view, site.manifest["default"])
        assert faults(page) == []
        assert width(page) <= SIZES[size]["width"]
        assert menu_rows(page) == 1
        if view != "experiments":  # of which there are none here
            keep(page, f"{view}-{size}-{theme}")


def test_forced_colours_keep_what_is_said_by_colour(visit: Visit, site: Site) -> None:
    page = visit(forced_colors="active")
    prepare(page, "draw", site.manifest["default"])
    fill, ground = page.locator(".bars .top rect").first.evaluate(
        "bar => [getComputedStyle(bar).fill, getComputedStyle(document.body).backgroundColor]"
    )
    assert fill != ground


def test_forced_colours_keep_the_curves(visit: Visit) -> None:
    page = visit("#/variants", forced_colors="active")
    stroke, ground = page.locator(".chart .line").first.evaluate(
        "line => [getComputedStyle(line).stroke, getComputedStyle(document.body).backgroundColor]"
    )
    assert stroke != ground


@pytest.mark.parametrize(("wish", "moves"), [("reduce", False), ("no-preference", True)])
def test_who_wishes_no_motion_gets_none(visit: Visit, wish: str, moves: bool) -> None:
    page = visit(reduced_motion=wish)
    draw(page, "2")
    page.locator('[aria-busy="false"] .answer').first.wait_for()
    draw(page, "1")
    duration = page.locator(".stale").evaluate("answer => parseFloat(getComputedStyle(answer).transitionDuration)")
    assert (duration > 0) == moves
