"""The page shows as text all that others may write."""

import copy
from typing import Any

import requests
from playwright.sync_api import Page, expect

from testing.api import ADMIN
from testing.waiting import PATIENCE
from tests.browser.conftest import Visit
from tests.browser.site import Site

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`${alert(3)}"


def hostile(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest with markup wherever it may hold text."""
    manifest = copy.deepcopy(manifest)
    for variant in manifest["variants"]:
        variant["title"] = MARKUP
    manifest["variants"][0]["regularisation"]["dropout"] = {"kind": MARKUP, "rate": 0.5, "schedule": MARKUP}
    return manifest


def shows_as_text(page: Page) -> None:
    expect(page.get_by_text(MARKUP).first).to_be_visible()
    assert page.locator("main img[src=x], main script").count() == 0


def test_markup_is_never_more_than_text(visit: Visit, site: Site) -> None:
    with site.gateway(hostile(site.manifest)) as gateway:
        first, second = (variant["name"] for variant in site.manifest["variants"][:2])
        arms = [{"variant": first, "weight": 0.5}, {"variant": second, "weight": 0.5}]
        spec = {"name": "hostile", "hypothesis": MARKUP, "control": first, "arms": arms}
        requests.post(f"{gateway.url}/experiments", json=spec, headers=ADMIN, timeout=PATIENCE).raise_for_status()
        for path in ("experiments/hostile/start", f"variants/{second}/promote"):
            acted = requests.post(f"{gateway.url}/{path}", json={"reason": MARKUP}, headers=ADMIN, timeout=PATIENCE)
            acted.raise_for_status()
        page = visit("#/variants", at=gateway)
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        shows_as_text(page)
        page.get_by_role("link", name="Experiments").click()
        shows_as_text(page)
        page.get_by_role("link", name="hostile").click()
        shows_as_text(page)
        page.get_by_text("Who did what").click()
        expect(page.get_by_text(f"admin start: {MARKUP}")).to_be_visible()
        expect(page.locator(".action .note")).to_contain_text(f"Reason: {MARKUP}")
        shows_as_text(page)
        page.goto(f"{gateway.url}/#/variants/{MARKUP}")
        page.goto(f"{gateway.url}/#/{MARKUP}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Draw a digit")
        assert dialogs == []
        page.context.close()
