"""The page shows the evidence of an experiment."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from testing.running_gateway import Gateway
from testing.waiting import eventually
from tests.browser.administrator import act, administer
from tests.browser.conftest import PHONE, Visit
from tests.browser.experiment import Experiment
from tests.browser.looks import LOOKS, SIZES, faults, keep, menu_rows, width
from tests.browser.site import Site

PICTURES = {"": "experiments", "/decided": "experiment"}  # by where they are taken


@pytest.fixture(scope="module")
def shared(site: Site) -> Iterator[Gateway]:
    """A gateway with an experiment that is decided, and one that is not."""
    with site.gateway() as running:
        decided = Experiment(running, "decided", control="dropout", hypothesis="The champion errs less")
        for first in range(0, 3000, 500):
            decided.ask(first, 500)
            decided.label()
            looked_at(decided)
        eventually(lambda: decided.call("GET", "/report")["verdict"], "a verdict")
        young = Experiment(running, "young", alpha=0.001, guardrails=[{"metric": "error_rate", "margin": 0.5}])
        young.ask(0, 300)
        young.label("audit")
        young.ask(300, 100)
        young.label("user")  # of the new ones: an auditor's labels stay
        yield running


def looked_at(experiment: Experiment) -> None:
    """Wait until the evidence has been looked at with all labels in."""
    eventually(
        lambda: experiment.call("GET", "/report")["history"][-1:] and _newest(experiment) == len(experiment.truth)
    )


def _newest(experiment: Experiment) -> int:
    return experiment.call("GET", "/report")["history"][-1]["labelled"]


def test_what_is_undecided_says_what_it_would_take(visit: Visit, shared: Gateway) -> None:
    page = visit("#/experiments/young", at=shared)
    expect(page.locator(".sentence")).to_have_text("It is not decided yet which is better: champion or dropout.")
    expect(
        page.get_by_text(
            re.compile(r"dropout: the evidence is [\d.]+; 1,000 decides\. .* about [\d,]+ more labels of images")
        )
    ).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("significant")
    expect(page.get_by_text("100 of 400 from users: a biased sample")).to_be_visible()
    expect(page.get_by_text("Within bounds: failures of dropout (0, control 0)")).to_be_visible()


def test_the_sequence_is_charted_over_the_labels(visit: Visit, shared: Gateway) -> None:
    page = visit("#/experiments/decided", at=shared)
    expect(page.locator(".sentence")).to_contain_text("champion is better than dropout.")
    page.get_by_text("The figures").click()
    labelled = page.locator("figure tbody th").all_inner_texts()
    assert labelled == ["500", "1,000", "1,500", "2,000", "2,500", "3,000"]
    expect(page.locator("figure tbody td").last).to_have_text(re.compile(r"^[\d.]+ \([\d.]+ to [\d.]+\)$"))
    expect(page.locator(".chart .rule text").last).to_have_text("decided")
    band = page.locator(".chart .band").get_attribute("d") or ""
    assert band.count("L") > 5


def test_a_report_is_in_chinese_too(visit: Visit, shared: Gateway) -> None:
    page = visit("#/experiments/decided", at=shared, locale="zh-CN", viewport=PHONE)
    expect(page.locator(".sentence")).to_have_text(re.compile("^champion 比 dropout 更好。(估计)?其正确率高出"))
    assert menu_rows(page) == 1
    assert width(page) <= PHONE["width"]


def test_an_answer_that_takes_long_is_waited_for(visit: Visit, shared: Gateway) -> None:
    page, held = visit("#/experiments", at=shared), list[Route]()
    page.clock.install()
    page.route("**/experiments/young/report", lambda route: held.append(route))
    page.get_by_role("link", name="young").click()
    expect(page.locator(".loading")).to_be_visible()
    page.clock.run_for(30_000)  # in which it would be asked for six times
    held[0].continue_()
    expect(page.locator(".sentence")).to_be_visible()
    assert len(held) == 1


def test_a_report_stays_while_the_gateway_cannot_be_reached(gateway: Gateway, visit: Visit) -> None:
    experiment = Experiment(gateway, "lonely")
    page = visit("#/experiments/lonely", at=gateway, expected="ERR_INTERNET_DISCONNECTED")
    expect(page.locator(".sentence")).to_contain_text("Nothing can be said yet")
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    expect(page.locator(".sentence")).to_be_visible()
    experiment.ask(0, 50)
    experiment.label()
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".sentence")).to_contain_text("It is not decided yet")


def test_a_report_goes_on_while_the_models_do_not_answer(gateway: Gateway, visit: Visit, site: Site) -> None:
    experiment = Experiment(gateway, "orphaned")
    experiment.ask(0, 100)
    page = administer(visit("#/experiments/orphaned", at=gateway, expected=r"status of 503"))
    expect(page.locator(".sentence")).to_contain_text("Nothing can be said yet")
    banner, names = page.locator("#banner"), [variant["name"] for variant in site.manifest["variants"]]
    try:
        site.stop_models()
        expect(banner).to_contain_text("The models do not answer at the moment.")
        expect(banner).to_contain_text(f"{', '.join(names)}: UNREACHABLE The model server cannot be reached")
        experiment.label()
        expect(page.locator(".sentence")).to_contain_text("It is not decided yet")
        act(page, "Pause", "until they answer")
        expect(page.locator(".hypothesis .badge")).to_have_text("paused")
        expect(page.get_by_role("alert")).to_have_count(0)
        assert faults(page) == []
    finally:
        site.start_models()
    expect(banner).to_be_empty()
    expect(page.locator(".sentence")).to_be_visible()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_every_part_is_accessible_and_fits(visit: Visit, shared: Gateway, size: str, theme: str) -> None:
    page = administer(visit(at=shared, viewport=SIZES[size], color_scheme=theme, expected="status of 422"))

    def fits() -> None:
        assert faults(page) == []
        assert width(page) <= SIZES[size]["width"]

    parts = {"": ".card", "/young": ".sentence", "/decided": ".chart", "/new-experiment": "#create"}
    for where, ready in parts.items():
        page.goto(f"{shared.url}/#/experiments{where}")
        page.locator(ready).first.wait_for()
        fits()
        if where in PICTURES:
            keep(page, f"{PICTURES[where]}-{size}-{theme}")
    page.get_by_text("More settings").click()
    page.get_by_label("Most labels").fill("none")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("alert").wait_for()
    fits()
    page.goto(f"{shared.url}/#/experiments/decided")
    for step in ("Promote", "Change weights"):
        page.get_by_role("button", name=step).click()
        page.get_by_role("dialog").wait_for()
        fits()
        page.get_by_role("button", name="Cancel").click()
