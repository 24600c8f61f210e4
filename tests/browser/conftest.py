"""Fixtures of the browser tests: Chromium, a running site, and pages that forgive nothing.

`site` is for all tests; `gateway` is a gateway over it with a database of its own, for one test; `visit()` opens a page
on it and, when the test ends, fails it for a request to another origin, an error in the console or a breach of the
content security policy. A test that provokes such errors names them: `visit(expected=r"status of 503")`.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from testing.machine import ROOT
from testing.running_gateway import Gateway
from testing.waiting import PATIENCE
from tests.browser.site import Site, train
from tests.conftest import built_once

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = 1000 * PATIENCE
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

Visit = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")  # its event loop would be in the way of the tests of other packages
def chromium() -> Iterator[Browser]:
    """A Chromium that is installed here."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("There is no Chromium here: install one (apt-get install chromium), or name one in CHROMIUM.")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Variants that are trained for it, or, for README's pictures, those of `make train`, and their model server."""
    if not (ROOT / "data" / "t10k-images-idx3-ubyte").is_file():
        pytest.skip("MNIST is not here: make data.")
    folder, models = tmp_path_factory.mktemp("site"), ROOT / "models"
    if not os.environ.get("SCREENSHOTS"):
        models = built_once(tmp_path_factory, "site_models", train)
    running = Site(models, folder)
    yield running
    running.stop_models()


@pytest.fixture(scope="session")
def shared_gateway(site: Site) -> Iterator[Gateway]:
    """A gateway for the tests that leave nothing behind."""
    with site.gateway() as running:
        yield running


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    """A gateway with a database of its own."""
    with site.gateway() as running:
        yield running


@pytest.fixture
def visit(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Give a function that opens a page at a hash such as `#/variants`; further options are a browser context's."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(where: str = "", *, at: Gateway | None = None, expected: str = "(?!)", **options: Any) -> Page:
        origin = (at or request.getfixturevalue("shared_gateway")).url
        context = chromium.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", "locale": "en", **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        watch(page, origin, re.compile(expected), faults)
        page.goto(f"{origin}/{where}")
        page.locator("h1").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def watch(page: Page, origin: str, expected: re.Pattern[str], faults: list[str]) -> None:
    """Note in `faults` what a page must not do; a breach of the security policy is an error in the console."""

    def fault(kind: str, text: str) -> None:
        if not expected.search(text):
            faults.append(f"{kind}: {text}")

    def asked(sent: Request) -> None:
        if not sent.url.startswith((f"{origin}/", "data:", "blob:")):
            fault("another origin", sent.url)

    def told(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            fault(message.type, message.text)

    page.on("request", asked)
    page.on("console", told)
    page.on("pageerror", lambda error: fault("exception", str(error)))
