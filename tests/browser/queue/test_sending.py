"""Labels of the queue are stored, kept until they can be, or refused."""

from playwright.sync_api import Page, expect

from testing.waiting import eventually
from tests.browser.experiment import Experiment
from tests.browser.queue.sight import shows


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
    assert experiment.counts["labelled"] == 0
    page.context.set_offline(False)
    eventually(lambda: experiment.counts["labelled"] == 1)
    assert experiment.say(first, experiment.right(first)) == 200
    page.get_by_role("link", name="Experiments").click()


def test_a_label_that_is_refused_is_told_of(page: Page, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    assert experiment.say(first, experiment.right(first)) == 201
    page.keyboard.press(experiment.wrong(first))
    shows(page, second)
    page.keyboard.press("s")
    detail = f"This prediction has the label '{experiment.right(first)}'; the first one stays."
    expect(page.get_by_role("alert")).to_contain_text(detail)
