"""The label queue of an experiment: images are labelled, skipped and taken back."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from testing.running_gateway import Gateway
from testing.waiting import eventually
from tests.browser.conftest import PHONE, Visit
from tests.browser.experiment import Experiment
from tests.browser.looks import LOOKS, SIZES, faults, keep, width
from tests.browser.queue.sight import look, shows, task


def test_a_queue_is_labelled_by_keyboard_to_its_end_and_beyond(page: Page, experiment: Experiment) -> None:
    waiting = experiment.waiting
    for done, image in enumerate(waiting, 1):
        shows(page, image)
        page.keyboard.press(experiment.right(image))
        expect(page.locator(".progress")).to_have_text(f"{done} labelled, 0 skipped, {len(waiting) - done} left")
        expect(page.locator(".sentence")).to_contain_text(f"You said {experiment.right(image)};")
    expect(task(page)).to_contain_text("No image wants a label now.")
    eventually(lambda: experiment.call("GET", "/report")["labels"]["audit"] == len(waiting))
    assert [experiment.said(image) for image in waiting] == [experiment.right(image) for image in waiting]
    experiment.ask(300, 300, together=100)
    picture = task(page).get_by_role("img")
    expect(task(page)).to_be_focused()
    seen = picture.get_attribute("src")
    [first] = [image for image in experiment.waiting if image["seen"] == seen]
    page.keyboard.press(experiment.right(first))
    expect(picture).not_to_have_attribute("src", seen)


def test_the_queue_is_in_chinese_too(visit: Visit, experiment: Experiment) -> None:
    page = visit(f"#/experiments/{experiment.name}/queue", at=experiment.gateway, locale="zh-CN", viewport=PHONE)
    waiting = len(experiment.waiting)
    page.locator(".task").press("7")
    expect(page.locator(".sentence")).to_have_text(f"你标注为 7；还剩 {waiting - 1} 张。")
    assert width(page) <= PHONE["width"]
    page.get_by_label("语言").select_option("en")
    expect(page.locator(".sentence")).to_contain_text("You said 7;")


def test_a_label_can_be_taken_back_until_the_next(page: Page, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    page.keyboard.press(experiment.wrong(first))
    shows(page, second)
    page.keyboard.press("z")
    shows(page, first)
    page.keyboard.press(experiment.right(first))
    page.keyboard.press(experiment.right(second))
    eventually(lambda: experiment.said(first) == experiment.right(first))
    assert experiment.said(second) is None
    page.keyboard.press("z")
    shows(page, second)
    page.keyboard.press("z")
    expect(page.locator(".sentence")).to_contain_text("There is nothing to take back")


def test_an_image_that_nobody_can_read_is_said_to_be(page: Page, experiment: Experiment) -> None:
    first, second, third = experiment.waiting[:3]
    page.keyboard.press("u")
    shows(page, second)
    expect(page.locator(".sentence")).to_contain_text("You said that nobody can read it;")
    page.keyboard.press("z")
    shows(page, first)
    page.get_by_role("button", name="Unreadable").click()
    page.keyboard.press(experiment.right(second))
    shows(page, third)
    eventually(lambda: experiment.said(first) == "unreadable")
    for answer in first["answers"]:
        expect(page.locator(".given .open")).to_contain_text([f"{answer['variant']} said {answer['label']}"])
    assert first["prediction_id"] not in {image["prediction_id"] for image in experiment.waiting}


def test_the_order_is_random_and_the_same_for_everybody(page: Page, visit: Visit, experiment: Experiment) -> None:
    first, second = experiment.waiting[:2]
    expect(page.get_by_text("in random order, the same for everybody")).to_be_visible()
    page.keyboard.press("s")
    shows(page, second)
    shows(look(visit, experiment), first)  # skipping is of one tab alone


def test_a_skipped_image_waits_and_can_be_looked_at_again(page: Page, experiment: Experiment) -> None:
    waiting = experiment.waiting
    page.keyboard.press("s")
    page.keyboard.press("ArrowRight")
    shows(page, waiting[2])
    expect(page.locator(".sentence")).to_contain_text("still in the queue")
    page.keyboard.press("z")
    shows(page, waiting[1])
    page.get_by_role("button", name="Skip").click()
    for _ in waiting[2:]:
        page.keyboard.press("s")
    expect(page.locator(".progress")).to_have_text(f"0 labelled, {len(waiting)} skipped, 0 left")
    expect(task(page)).to_contain_text("You have skipped all that is left.")
    page.get_by_role("button", name="Begin anew with what you skipped").click()
    shows(page, waiting[0])
    assert experiment.waiting == waiting


def test_what_was_skipped_stays_away_as_long_as_others_can_be_listed(visit: Visit, labelled_gateway: Gateway) -> None:
    long = Experiment(labelled_gateway, "long")
    while (all_of_them := long.call("GET", "/disagreements")["waiting"]) <= len(listed := long.waiting):
        long.ask(len(long.truth), 1000, together=100)
    page = look(visit, long)
    for image in listed:
        shows(page, image)
        page.keyboard.press("s")
    said = f"You have skipped the first {len(listed)}. Behind them {all_of_them - len(listed)} more wait"
    expect(task(page)).to_contain_text(said)
    page.get_by_role("link", name="long").click()
    page.get_by_role("link", name="Label images").click()
    expect(task(page)).to_contain_text(said)
    page.get_by_role("button", name="Begin anew with what you skipped").click()
    shows(page, listed[0])


def test_a_key_that_is_held_down_or_pressed_elsewhere_labels_nothing_more(page: Page, experiment: Experiment) -> None:
    for _ in range(3):
        page.keyboard.down("7")
    page.keyboard.up("7")
    progress = page.locator(".progress")
    expect(progress).to_contain_text("1 labelled,")
    page.get_by_role("link", name="API").focus()
    page.keyboard.press("7")
    page.get_by_role("button", name="Skip").click()
    expect(progress).to_contain_text("1 labelled, 1 skipped,")


@pytest.mark.parametrize(
    ("paired", "archived", "said"),
    [(True, False, "No image wants a label now. New ones appear here by themselves."),
     (False, False, "only one variant sees an image"),
     (True, True, "archived and takes no more labels")],
)  # fmt: skip
def test_an_empty_queue_says_why(
    visit: Visit, labelled_gateway: Gateway, paired: bool, archived: bool, said: str
) -> None:
    empty = Experiment(labelled_gateway, f"empty_{paired}_{archived}".lower(), paired=paired)
    if archived:
        for step in ("/stop", "/archive"):
            empty.call("POST", step, {})
    page = visit(f"#/experiments/{empty.name}/queue", at=labelled_gateway)
    expect(task(page)).to_contain_text(said)


def test_the_queue_of_no_experiment_says_so_in_text_alone(visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)>"
    page = visit(f"#/experiments/{quote(name)}/queue", expected="status of 404")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Label queue of {name}")
    expect(page.get_by_role("alert")).to_contain_text(name)
    expect(page.locator("img")).to_have_count(0)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_the_queue_is_accessible_and_fits(visit: Visit, experiment: Experiment, size: str, theme: str) -> None:
    page = look(visit, experiment, viewport=SIZES[size], color_scheme=theme)
    first, second, third = experiment.waiting[:3]
    assert experiment.say(second, experiment.right(second)) == 201
    said = first["answers"][0]["label"]  # so that one of the variants was right
    for label in (said, experiment.wrong(second)):
        page.keyboard.press(label)
    shows(page, third)
    page.get_by_role("alert").wait_for()  # the second label is refused
    page.locator(".given .right").first.wait_for()
    assert faults(page) == []
    assert width(page) <= SIZES[size]["width"]
    keep(page, f"queue-{size}-{theme}")
    for _ in experiment.waiting:
        page.keyboard.press("s")
    page.get_by_role("button", name="Begin anew with what you skipped").wait_for()
    assert faults(page) == []
