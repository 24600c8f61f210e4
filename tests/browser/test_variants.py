"""The page shows the variants as the gateway describes them."""

from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from testing.running_gateway import Gateway
from testing.waiting import PATIENCE
from tests.browser.conftest import Visit
from tests.browser.site import Site


@pytest.fixture
def known(shared_gateway: Gateway) -> Any:
    """The answer of GET /variants."""
    return requests.get(f"{shared_gateway.url}/variants", timeout=PATIENCE).json()


def row(page: Page, variant: str) -> Locator:
    return page.locator("tbody tr").filter(has=page.locator("code").get_by_text(variant, exact=True))


def number(value: float, digits: int) -> str:
    """Write a figure as the page does in English: no zeros at its end."""
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def test_the_table_shows_each_variant(visit: Visit, known: Any) -> None:
    page = visit("#/variants")
    for variant in known["variants"]:
        test, answers = variant["test"], variant["name"] == known["default"]
        expect(row(page, variant["name"]).locator("th")).to_contain_text(variant["title"])
        expect(row(page, variant["name"]).locator(".badge")).to_have_text(["default"] if answers else [])
        cells = row(page, variant["name"]).locator("td")
        expect(cells.nth(0)).to_have_text(f"{test['accuracy']:.2%}")
        expect(cells.nth(1)).to_have_text(number(test["ece"], 4))
        expect(cells.nth(2)).to_contain_text("● AVAILABLE")
        expect(cells.nth(3)).to_have_text(number(test["loss"], 4))
        expect(cells.nth(4)).to_have_text(regularisation(variant["regularisation"]))
        expect(cells.nth(5)).to_have_text(f"{variant['parameters']:,}")
        expect(cells.nth(6)).to_have_text(str(variant["live"]["version"]))


def regularisation(of: dict[str, Any]) -> str:
    """Say in the page's words how a variant is regularised."""
    parts = []
    if dropout := of.get("dropout"):
        parts.append(f"dropout {number(dropout['rate'], 3)} ({dropout['kind']}, {dropout['schedule']})")
    if of.get("l2"):
        parts.append(f"L2 {number(of['l2'], 6)}")
    if of.get("weight_decay"):
        parts.append(f"weight decay {number(of['weight_decay'], 6)}")
    return " + ".join(parts) or "none"


def test_the_curves_are_the_manifests(visit: Visit, known: Any) -> None:
    page = visit("#/variants")
    trained = [variant for variant in known["variants"] if variant["history"]]
    expect(page.locator(".legend li")).to_have_text([variant["name"] for variant in trained])
    page.get_by_text("The figures").click()
    heads = page.locator(".chart thead th")
    expect(heads).to_have_text(["Training step", *(variant["name"] for variant in trained)])
    for column, variant in enumerate(trained):
        last = variant["history"][-1]
        cells = page.locator(".chart tbody tr").filter(has=page.get_by_role("rowheader", name=f"{last['step']:,}"))
        error = max(1 - last["accuracy"], 0.001)
        expect(cells.locator("td").nth(column)).to_have_text(f"{error:.1%}")


def test_a_link_leads_to_a_variant(visit: Visit, site: Site) -> None:
    name = site.manifest["variants"][-1]["name"]
    page = visit(f"#/variants/{name}")
    expect(page.locator("tr[aria-current]")).to_have_count(1)
    expect(row(page, name)).to_have_attribute("aria-current", "true")


def test_a_variant_that_does_not_answer_is_marked_until_it_does(visit: Visit, site: Site) -> None:
    page = visit("#/variants", expected=r"status of 50\d")
    states = page.locator("td .state")
    expect(states).to_have_text(["● AVAILABLE"] * len(site.manifest["variants"]))
    try:
        site.stop_models()
        expect(states.filter(has_text="▲")).to_have_count(len(site.manifest["variants"]))
        expect(page.locator("#banner")).to_contain_text("The models do not answer at the moment.")
    finally:
        site.start_models()
    expect(states).to_have_text(["● AVAILABLE"] * len(site.manifest["variants"]))
    expect(page.locator("#banner")).to_be_empty()


def test_the_studys_report_is_linked_to_where_there_is_one(visit: Visit, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    with site.gateway(study_report=file) as gateway:
        page = visit("#/variants", at=gateway)
        link = page.get_by_role("link", name="The study's report")
        page.locator(".chart").wait_for()
        expect(link).to_have_count(0)
        file.write_text("<p>Dropout")
        page.reload()
        with page.expect_download() as report:
            link.click()
        assert report.value.path().read_text() == file.read_text()
        page.context.close()


def test_learning_from_labels_shows_where_it_stands(visit: Visit, site: Site) -> None:
    manifest = site.manifest
    variant = manifest["variants"][-1]
    variant["training"] |= {
        "labels": {
            "set": "a", "sha256": "b", "exists": False, "images": 1234, "units": 56, "sources": {"audit": 1234},
            "from": "2026-01-01T10:00:00+00:00", "to": "2026-02-01T10:00:00+00:00",
        },
        "gate": {
            "held_out": {"images": 300, "base_accuracy": 0.75, "accuracy": 0.95},
            "test": {"base_accuracy": 0.9939, "accuracy": 0.9921},
        },
    }  # fmt: skip
    with site.gateway(manifest, keep_labelled=100) as gateway:
        page = visit("#/variants", at=gateway)
        parts = page.locator(".learning dd")
        expect(parts.nth(0)).to_contain_text("0 labelled images from 0 units")
        expect(parts.nth(1)).to_contain_text(
            f"{variant['name']} version {variant['version']} learned from 1,234 images"
        )
        expect(parts.nth(1)).to_contain_text("Its image set no longer exists")
        expect(parts.nth(2)).to_contain_text("75.00% right before, 95.00% now. Test images: 99.39% before, 99.21% now.")
        expect(parts.nth(3)).to_have_text("None yet: make improve drafts one.")
        page.context.close()
