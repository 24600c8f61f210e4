"""Act as an administrator on the page."""

from playwright.sync_api import Page, expect

from testing.api import ADMIN_TOKEN


def administer(page: Page) -> Page:
    """Give the page's tab the administrators' token."""
    page.evaluate("token => sessionStorage.setItem('dropserve-admin', token)", ADMIN_TOKEN)
    return page


def act(page: Page, step: str, reason: str = "") -> None:
    """Take a step by its button, and say why."""
    page.get_by_role("button", name=step, exact=True).click()
    dialog = page.get_by_role("dialog", name=step)
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=step, exact=True).click()
    expect(dialog).to_have_count(0)
