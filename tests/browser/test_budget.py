"""How much the page loads, and how soon it can be used."""

import pytest
from playwright.sync_api import Browser, Response

from testing.running_gateway import Gateway
from testing.waiting import eventually
from tests.browser.experiment import Experiment

MOST_BYTES, MOST_REQUESTS = 150_000, 20
LATEST_MS = 5000  # a machine that others use too; alone it is a small part of it
CLOCK = """new MutationObserver((_, observer) => {
  if (!document.querySelector("h1")) return;
  window.interactive = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });"""


@pytest.mark.parametrize("view", ["draw", "variants", "experiments", "experiments/new-experiment"])
def test_the_first_visit_is_light(chromium: Browser, shared_gateway: Gateway, view: str) -> None:
    is_light(chromium, shared_gateway, view)


def test_a_report_is_light(chromium: Browser, gateway: Gateway) -> None:
    experiment = Experiment(gateway, "reported")
    for first in range(0, 2000, 500):  # of 1,000, chance decides whether they are evidence enough
        experiment.ask(first, 500)
        experiment.label()
    eventually(lambda: experiment.call("GET", "/report")["verdict"], "a verdict")
    is_light(chromium, gateway, "experiments/reported")


def test_a_long_queue_is_light(chromium: Browser, gateway: Gateway) -> None:
    experiment = Experiment(gateway, "long")
    for first in (0, 1000, 2000):
        experiment.ask(first, 1000, together=100)
    assert len(experiment.waiting) > 50  # more than the page asks for
    is_light(chromium, gateway, "experiments/long/queue")


def is_light(chromium: Browser, gateway: Gateway, view: str) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))
        page.add_init_script(CLOCK)
        page.goto(f"{gateway.url}/#/{view}")
        page.locator("h1").wait_for()
        page.wait_for_load_state("networkidle")
        interactive = page.evaluate("interactive")
        sent = sum(len(answer.body()) for answer in answers if answer.url.startswith("http"))
    requests = sum(answer.url.startswith("http") for answer in answers)
    print(f"{view}: {sent / 1000:.1f} kB in {requests} requests, interactive after {interactive:.0f} ms")
    assert sent < MOST_BYTES
    assert requests < MOST_REQUESTS
    assert interactive < LATEST_MS
