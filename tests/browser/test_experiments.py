"""Experiments on the page: made, led through their life, and run to their decision."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from testing.api import ADMIN_TOKEN
from testing.running_gateway import Gateway
from tests.browser.administrator import act, administer
from tests.browser.conftest import Visit
from tests.browser.experiment import Experiment
from tests.browser.site import Site


@pytest.fixture(scope="module")
def shared(site: Site) -> Iterator[Gateway]:
    """A gateway for the experiments of these tests."""
    with site.gateway() as running:
        yield running


def fill(page: Page, name: str, *, control: str, challenger: str) -> None:
    """Fill in the form of a new experiment."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Hypothesis").fill("More dropout, more errors")
    for box in page.get_by_role("checkbox", name="takes part").all():
        box.set_checked(box.get_attribute("value") in (control, challenger))
    page.get_by_label(f"{control} is the control").check()


def test_what_is_wrong_is_told_beside_its_field(visit: Visit, shared: Gateway) -> None:
    page = administer(visit("#/experiments/new-experiment", at=shared, expected="status of 422"))
    fill(page, "No Spaces", control="champion", challenger="dropout")
    page.get_by_text("More settings").click()
    page.get_by_label("Risk of a false verdict").fill("a lot")
    page.get_by_label("How much more than control").last.fill("0.5")
    page.get_by_text("More settings").click()
    page.get_by_role("button", name="Create").click()
    name, alpha = page.get_by_label("Name"), page.get_by_label("Risk of a false verdict")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description("Small letters, digits and _; it becomes part of addresses. ▲ "
                                                "String should match pattern '^[a-z0-9_]+$'")  # fmt: skip
    expect(alpha).to_be_visible()  # what is wrong is unfolded
    expect(alpha).to_have_accessible_description(re.compile("▲ Input should be a valid number"))
    slow = page.get_by_label("What is slow, in milliseconds")
    expect(slow).to_have_accessible_description(re.compile("the metric 'slow' needs threshold_ms"))
    page.get_by_label("Layer").fill("Two Words")
    page.get_by_label("Held back").fill("0.7")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("Layer")).to_have_accessible_description(re.compile("▲ String should match"))
    expect(page.get_by_label("Held back")).to_have_accessible_description(re.compile("▲ .* less than or equal to 0.5"))
    page.get_by_label("Layer").fill("")
    page.get_by_label("Held back").fill("0")
    name.fill("with_weights")
    alpha.fill("0.05")
    slow.fill("250")
    page.get_by_label("Weight of champion").fill("0.9")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("group", name="Variants")).to_contain_text("▲ the weights add up to 0.9 instead of 1")
    page.get_by_role("link", name="Variants").click()
    page.locator("tbody tr").first.wait_for()
    page.go_back()
    expect(name).to_have_value("with_weights")  # what was filled in is still there
    expect(page.get_by_label("Weight of champion")).to_have_value("0.9")
    expect(page.get_by_role("checkbox", name="takes part").and_(page.locator(":checked"))).to_have_count(2)


def test_an_experiment_is_planned(visit: Visit, shared: Gateway) -> None:
    page = administer(visit("#/experiments/new-experiment", at=shared, expected="status of 422"))
    page.get_by_text("How long will it take?").click()
    page.get_by_label("Error rate of the control").fill("1")
    page.get_by_label("Error rate of the variant").fill("0.7")
    disagreement = page.get_by_label("Images that the two label differently")
    disagreement.fill("0.1")
    page.get_by_role("button", name="Plan").click()
    expect(disagreement).to_have_accessible_description(re.compile("▲ 0.001 is too low"))
    disagreement.fill("0.9")
    page.get_by_label("Images a day").fill("1000")
    page.get_by_label("Images that get a label").fill("50")
    page.get_by_label("Experiments to simulate").fill("200")
    page.get_by_role("button", name="Plan").click()
    expect(page.get_by_role("row", name="Labels")).to_have_text(re.compile(r"Labels\s+\d\d \(\d\d–\d\d\)\s+1\d\d"))
    expect(page.get_by_text("Of 200 simulated experiments")).to_be_visible()
    expect(page.get_by_role("row", name="Days")).to_be_visible()
    expect(page.get_by_text("percentage points in four of five cases")).to_be_visible()


def test_an_experiment_is_made_started_and_decided(visit: Visit, shared: Gateway) -> None:
    page = visit("#/experiments", at=shared, expected="status of 401")
    page.get_by_role("link", name="New experiment").click()
    expect(page.get_by_role("heading", level=1, name="New experiment")).to_be_focused()
    fill(page, "by_hand", control="champion", challenger="dropout")
    page.get_by_text("More settings").click()
    page.get_by_label("Layer").fill("digits")
    page.get_by_label("Held back").fill("0.1")
    page.get_by_label("Roll back by itself").check()
    page.get_by_role("button", name="Create").click()
    page.get_by_label("Administrators' token").fill(ADMIN_TOKEN)
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("heading", level=1, name="by_hand")).to_be_visible()
    expect(page.locator(".sentence")).to_have_text("Nothing can be said yet: no labels have come.")
    page.get_by_text("How it is set up").click()
    for fact, value in (("Layer", "digits (100%)"), ("Held back after", "10%"), ("Roll back by itself", "yes")):
        expect(page.locator(f"dt:has-text('{fact}') + dd")).to_have_text(value)
    act(page, "Start", "to see")
    expect(page.locator(".said")).to_have_text("Started.")
    experiment = Experiment(shared, "by_hand", made=True)
    experiment.ask(0, 1000)
    experiment.ask(1000, 1000)
    experiment.label()
    expect(page.locator(".sentence")).to_contain_text("dropout is worse than champion.")
    latched = page.get_by_text("labels: dropout is worse (the evidence reached 20). That stands")
    expect(latched).to_be_visible()
    expect(page.get_by_role("img", name="Line chart: difference")).to_be_visible()
    page.get_by_text("The figures").click()
    expect(page.locator("figure tbody tr").last).to_contain_text("2,000")
    expect(page.locator("figure tbody tr").last).to_contain_text(" to -")  # all of the sequence is below 0
    page.get_by_text("Where they differ").click()
    by_truth = page.get_by_role("table", name="dropout against champion, by true class")
    expect(by_truth.get_by_role("row")).to_have_count(11)
    expect(page.get_by_role("img", name="dropout against champion, by predicted class")).to_be_visible()
    expect(page.get_by_text("Half of the labels come within").first).to_be_visible()
    page.get_by_role("link", name="Experiments").last.click()
    card = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="by_hand"))
    expect(card).to_contain_text("running dropout is worse")
    expect(card).to_contain_text("More dropout, more errors")
    expect(card).to_contain_text("dropout against champion; every image is shown to all")


def test_only_the_steps_that_lead_on_are_offered(visit: Visit, shared: Gateway) -> None:
    experiment = Experiment(shared, "stepwise")
    page = administer(visit("#/experiments/stepwise", at=shared))

    def offered() -> list[str]:
        return page.locator(".action .buttons").first.get_by_role("button").all_inner_texts()

    heading = page.get_by_role("heading", name="Action")
    for step, status, then, focused in (
        ("Pause", "paused", ["Resume", "Stop", "Change weights"], page.get_by_role("button", name="Resume")),
        ("Resume", "running", ["Pause", "Stop", "Change weights"], page.get_by_role("button", name="Pause")),
        ("Stop", "stopped", ["Archive"], heading), ("Archive", "archived", [], heading),
    ):  # fmt: skip
        act(page, step, f"because of {step}")
        expect(page.locator(".hypothesis .badge")).to_have_text(status)
        assert offered() == then
        expect(focused).to_be_focused()
    assert experiment.call("GET", "")["reason"] == "because of Stop"
    page.get_by_text("Who did what").click()
    expect(page.get_by_text("admin archive: because of Archive")).to_be_visible()


def test_weights_are_changed_and_begin_a_phase(visit: Visit, shared: Gateway) -> None:
    experiment = Experiment(shared, "weighed")
    page = administer(visit("#/experiments/weighed", at=shared, expected="status of 422"))
    page.get_by_role("button", name="Change weights").click()
    dialog = page.get_by_role("dialog", name="Change weights")
    expect(dialog.get_by_label("Weight of dropout")).to_have_value("0.5")
    dialog.get_by_label("Weight of dropout").fill("0.2")
    dialog.get_by_label("Reason").fill("it is slower")
    dialog.get_by_role("button", name="Change weights").click()
    expect(dialog.get_by_role("alert")).to_contain_text("the weights add up to 0.7 instead of 1")
    dialog.get_by_label("Weight of champion").fill("0.8")
    dialog.get_by_label("Share of the traffic").fill("0.1")
    dialog.get_by_role("button", name="Change weights").click()
    expect(page.locator(".said")).to_have_text("The weights are changed; a new phase has begun.")
    expect(page.get_by_role("row", name="dropout")).to_contain_text("20%")
    page.get_by_text("How it is set up").click()
    expect(page.locator("dl")).to_contain_text("champion 80%, dropout 20%")
    phase = experiment.call("GET", "")["phases"][-1]
    assert (phase["number"], phase["weights"], phase["traffic"]) == (2, [0.8, 0.2], 0.1)
    page.get_by_text("Who did what").click()
    expect(page.get_by_text("admin reweight: it is slower")).to_be_visible()


def test_the_keyboard_asks_and_takes_back(visit: Visit, shared: Gateway) -> None:
    Experiment(shared, "by_keys")
    page = administer(visit("#/experiments/by_keys", at=shared))
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason (if you like)")).to_be_focused()
    page.keyboard.press("Escape")
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("enough")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".hypothesis .badge")).to_have_text("stopped")


def test_a_dialog_asked_for_again_at_once_is_whole(visit: Visit, shared: Gateway) -> None:
    Experiment(shared, "again")
    page = administer(visit("#/experiments/again", at=shared))
    stop = page.get_by_role("button", name="Stop", exact=True).first  # the dialog has another
    stop.click()
    # The browser tells of the closing only when it has opened again.
    stop.evaluate("stop => { document.querySelector('dialog').close(); stop.click(); }")
    page.evaluate("new Promise((told) => setTimeout(told))")
    expect(page.get_by_role("dialog", name="Stop").get_by_label("Reason (if you like)")).to_be_visible()


def test_an_experiment_may_be_called_new(visit: Visit, shared: Gateway) -> None:
    page = administer(visit("#/experiments", at=shared))
    page.get_by_role("link", name="New experiment").click()
    fill(page, "new", control="champion", challenger="dropout")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("new")
    expect(page.locator(".sentence")).to_have_text("Nothing can be said yet: no labels have come.")
    page = visit("#/experiments/new/queue", at=shared)
    expect(page.get_by_role("heading", level=1)).to_have_text("Label queue of new")


def test_an_experiment_that_does_not_exist_is_told_of(visit: Visit, shared: Gateway) -> None:
    page = visit("#/experiments/nowhere", at=shared, expected="status of 404")
    expect(page.get_by_role("alert")).to_contain_text("There is no experiment 'nowhere'; there are")


def test_a_part_that_could_not_be_loaded_is_loaded_when_it_can_be(visit: Visit, shared: Gateway) -> None:
    page = visit("#/experiments", at=shared, expected="ERR_INTERNET_DISCONNECTED")
    page.get_by_role("link", name="New experiment").wait_for()
    page.context.set_offline(True)
    page.get_by_role("link", name="New experiment").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Create")).to_be_visible()
