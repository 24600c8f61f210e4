"""Labels of the queue are stored, kept until they can be, or refused."""

from playwright.sync_api import Page, expect

from serving.gateway.access.api_keys import digest
from testing.api import ADMIN_TOKEN
from testing.waiting import eventually
from tests.browser.conftest import Visit
from tests.browser.experiment import Experiment
from tests.browser.queue.sight import look_without_token, shows, task
from tests.browser.site import Site

TOKEN = "Administrators' token, or a labeller's key"


def test_what_the_variants_said_is_shown_when_the_label_is_stored(page: Page, experiment: Experiment) -> None:
    image = experiment.waiting[0]
    for answer in image["answers"]:
        expect(page.locator("main")).not_to_contain_text(answer["variant"] + " ")
    page.get_by_role("button", name=experiment.right(image), exact=True).click()
    for answer in image["answers"]:
        right = answer["label"] == experiment.right(image)
        said = f"✓ {answer['variant']} was right" if right else f"✗ {answer['variant']} said {answer['label']}"
        expect(page.locator(".given")).to_contain_text(said)


def test_a_label_that_cannot_be_sent_is_kept_and_sent_again(page: Page, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    page.context.set_offline(True)
    page.keyboard.press(experiment.right(first))
    shows(page, second)
    page.keyboard.press("s")
    expect(page.get_by_text("Labels that are not stored yet: 1.")).to_be_visible()
    with page.expect_event("dialog") as asked:
        page.evaluate("setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    page.get_by_role("link", name="Variants").click()
    assert experiment.said(first) is None
    page.context.set_offline(False)
    eventually(lambda: experiment.said(first) == experiment.right(first))
    page.get_by_role("link", name="Experiments").click()


def test_a_label_that_is_refused_is_told_of(page: Page, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    assert experiment.say(first, experiment.right(first)) == 201
    page.keyboard.press(experiment.wrong(first))
    shows(page, second)
    page.keyboard.press("s")
    expect(page.get_by_role("alert")).to_contain_text("These labels were not taken:")
    expect(page.get_by_role("alert")).to_contain_text(f"'{experiment.right(first)}'")


def test_a_label_that_does_not_decide_is_told_of(page: Page, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    truth = {"prediction_id": first["prediction_id"], "label": experiment.right(first), "source": "ground_truth"}
    experiment.call("POST", "", truth, at="/feedback")
    page.keyboard.press(experiment.wrong(first))
    page.keyboard.press("s")
    expect(page.locator(".given .note")).to_be_visible()
    assert experiment.said(first) == experiment.right(first)


def test_labels_ask_for_a_token_and_wait_for_it(visit: Visit, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    page = look_without_token(visit, experiment)
    expect(page.get_by_text("only with the administrators' token or a labeller's key")).to_be_visible()
    page.keyboard.press(experiment.right(first))
    page.keyboard.press("s")
    expect(page.get_by_role("alert")).to_contain_text("Unauthorized A label of source 'audit' needs the header")
    expect(page.get_by_text("Labels that are not stored yet: 1.")).to_be_visible()
    assert experiment.said(first) is None
    give(page, ADMIN_TOKEN)
    eventually(lambda: experiment.said(first) == experiment.right(first))
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_label(TOKEN)).to_have_count(0)


def test_a_token_can_be_given_beforehand(visit: Visit, experiment: Experiment) -> None:
    first = experiment.waiting[0]
    page = look_without_token(visit, experiment)
    give(page, ADMIN_TOKEN)
    expect(page.get_by_label(TOKEN)).to_have_count(0)
    expect(task(page)).to_be_focused()
    page.keyboard.press(experiment.right(first))
    page.keyboard.press("s")
    eventually(lambda: experiment.said(first) == experiment.right(first))


def test_a_labellers_key_will_do_and_no_other_will(visit: Visit, site: Site) -> None:
    with site.gateway(api_keys=f"{digest('client')},read:{digest('reader')},label:{digest('labeller')}") as gateway:
        experiment = Experiment(gateway, "keyed", key="client")
        experiment.ask(0, 300, together=100)
        first = experiment.waiting[0]
        page = visit("#/experiments/keyed/queue", at=gateway, expected="status of 40[13]")
        expect(page.get_by_role("alert")).to_contain_text("Unauthorized Send the header")
        give(page, "client")
        expect(page.get_by_role("alert")).to_contain_text("Forbidden This key may not do this.")
        give(page, "reader")
        expect(task(page)).to_be_focused()
        page.keyboard.press(experiment.right(first))
        page.keyboard.press("s")
        expect(page.get_by_role("alert")).to_contain_text("Forbidden This key may not do this. Send a key")
        give(page, "labeller")
        eventually(lambda: experiment.said(first) == experiment.right(first))
        page.context.close()


def give(page: Page, token: str) -> None:
    """Give the page a token for labels."""
    page.get_by_label(TOKEN).fill(token)
    page.get_by_role("button", name="Use it").click()
