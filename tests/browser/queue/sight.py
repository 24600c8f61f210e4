"""Open a label queue and look at it."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.administrator import administer
from tests.browser.conftest import Visit
from tests.browser.experiment import Experiment


def look(visit: Visit, experiment: Experiment, **options: Any) -> Page:
    """Open an experiment's queue as an administrator."""
    return administer(look_without_token(visit, experiment, **options))


def look_without_token(visit: Visit, experiment: Experiment, **options: Any) -> Page:
    """Open an experiment's queue as anybody."""
    page = visit(f"#/experiments/{experiment.name}/queue", at=experiment.gateway, **options)
    expect(task(page)).to_be_focused()
    return page


def task(page: Page) -> Locator:
    return page.get_by_role("application", name="What does the image show?")


def shows(page: Page, image: dict[str, Any]) -> None:
    expect(task(page).get_by_role("img")).to_have_attribute("src", image["seen"])
