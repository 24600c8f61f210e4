"""Promotion of a variant from its experiment, and the way back."""

import re

from playwright.sync_api import expect

from testing.running_gateway import Gateway
from tests.browser.administrator import act, administer
from tests.browser.conftest import Visit
from tests.browser.experiment import Experiment


def test_a_variant_is_promoted_with_a_reason_and_rolled_back(gateway: Gateway, visit: Visit) -> None:
    experiment = Experiment(gateway, "promoted")
    page = administer(visit("#/experiments/promoted", at=gateway))
    expect(page.get_by_text("The default is champion.")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
    page.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog", name="Promote")
    expect(dialog).to_contain_text("The default is champion now, at revision 0.")
    expect(dialog.locator("blockquote")).to_have_text("Nothing can be said yet: no labels have come.")
    dialog.get_by_label("Variant").select_option("dropout")
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog).to_be_visible()  # it wants a reason
    expect(dialog).to_contain_text("This experiment stops; labels still count in it.")
    expect(dialog).to_contain_text("5.0% of the units stay on champion")
    dialog.get_by_label("Reason").fill("it is lighter")
    dialog.get_by_role("button", name="Promote").click()
    expect(page.locator(".said")).to_have_text("dropout is the default now. Roll back undoes that.")
    expect(page.get_by_text("admin promoted dropout. Reason: it is lighter")).to_be_visible()
    assert experiment.call("GET", "")["status"] == "stopped"
    watching = visit("#/experiments/promoted_hold_back", at=gateway)
    watching.get_by_text("How it is set up").click()
    expect(watching.locator("dt:has-text('Watches the promotion by') + dd")).to_have_text("promoted")
    act(page, "Roll back", "it was not")
    expect(page.get_by_text("admin rolled back to the manifest's own default. Reason: it was not")).to_be_visible()
    expect(page.get_by_text("The default is champion.")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
    kept = experiment.call("GET", "", at="/variants/promotions")["promotions"]
    assert [(each["action"], each["variant"]) for each in kept] == [("rollback", None), ("promote", "dropout")]


def test_who_promotes_over_another_is_told_first(gateway: Gateway, visit: Visit) -> None:
    experiment = Experiment(gateway, "raced")
    page = administer(visit("#/experiments/raced", at=gateway, expected="status of 409"))
    page.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog", name="Promote")
    dialog.get_by_label("Reason").fill("mine")
    experiment.call("POST", "", {"reason": "theirs"}, at="/variants/l2/promote")
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The default is at revision 1, not 0; look again first.")
    expect(dialog).to_contain_text("The default is l2 now, at revision 1.")
    expect(dialog.get_by_label("Reason")).to_have_value("mine")
    dialog.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("The default is dropout.")).to_be_visible()


def test_a_winner_is_what_is_proposed(gateway: Gateway, visit: Visit) -> None:
    experiment = Experiment(gateway, "won", control="dropout")
    experiment.ask(0, 2000)
    experiment.label()
    page = administer(visit("#/experiments/won", at=gateway))
    expect(page.locator(".sentence")).to_contain_text("champion is better than dropout.")
    page.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog", name="Promote")
    expect(dialog.get_by_label("Variant")).to_have_value("champion")
    expect(dialog.locator("blockquote")).to_contain_text("champion is better than dropout.")


def test_what_the_gateway_does_by_itself_shows(gateway: Gateway, visit: Visit) -> None:
    experiment = Experiment(gateway, "automatic", control="dropout", on_decision="promote")
    experiment.call("POST", "", {}, at="/variants/dropout/promote")  # only the default is displaced
    page = visit("#/experiments/automatic", at=gateway)
    expect(page.locator(".hypothesis .badge")).to_have_text("running")
    experiment.ask(0, 2000)
    experiment.label()
    expect(page.locator(".hypothesis .badge")).to_have_text("stopped")
    expect(page.get_by_text("gateway promoted champion. Reason: automatic: champion is better")).to_be_visible()
    page.goto(f"{gateway.url}/#/experiments/automatic_hold_back")
    expect(
        page.get_by_text(re.compile(r"^The evidence against the promotion is [\d.]+; 20 decides\.$"))
    ).to_be_visible()
