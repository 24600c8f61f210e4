"""The page tells of trouble, and links lead to its views."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from serving.gateway.access.api_keys import digest
from tests.browser.conftest import Visit
from tests.browser.experiment import Experiment
from tests.browser.hand import card, draw, said
from tests.browser.site import Site


def test_models_that_do_not_answer_are_told_of_and_asked_again(visit: Visit, site: Site) -> None:
    page = visit(expected=r"status of 50\d")
    try:
        site.stop_models()
        draw(page, "3")
        expect(page.locator("#banner")).to_contain_text("The models do not answer at the moment.")
        expect(page.locator(".problem")).to_be_visible()
    finally:
        site.start_models()
    expect(page.locator("#banner")).to_be_empty()
    expect(card(page, site.manifest["default"])).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)


def test_a_server_that_cannot_be_reached_is_told_of_and_asked_again(visit: Visit) -> None:
    page = visit("#/variants", expected="ERR_INTERNET_DISCONNECTED")
    page.locator("table").first.wait_for()
    page.context.set_offline(True)
    page.get_by_role("link", name="Experiments").click()
    expect(page.locator("#banner")).to_contain_text("The server cannot be reached at the moment.")
    page.context.set_offline(False)
    expect(page.locator("#banner")).to_be_empty()
    expect(page.get_by_text("There are no experiments yet.")).to_be_visible()


def test_a_drawing_that_finds_no_server_is_answered_when_there_is_one(visit: Visit, site: Site) -> None:
    page = visit(expected="ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    draw(page, "7")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.context.set_offline(False)
    expect(card(page, site.manifest["default"])).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(("view", "ready"), [("Variants", "tbody tr"), ("Experiments", ".empty")])
def test_what_is_loading_is_said_to_be(visit: Visit, view: str, ready: str) -> None:
    page = visit()
    held: list[Route] = []
    page.route(f"**/{view.lower()}", lambda route: held.append(route))
    page.get_by_role("link", name=view).click()
    expect(page.locator(".loading")).to_have_text("Loading …")
    held[0].continue_()
    expect(page.locator(ready).first).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)


def test_an_answer_that_is_none_is_asked_for_again(visit: Visit) -> None:
    """A proxy's page with status 200, or an answer that is cut off."""
    page = visit()
    page.route("**/variants", lambda route: route.fulfill(body="<html>"))
    page.get_by_role("link", name="Variants").click()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.unroute("**/variants")
    expect(page.locator("tbody tr").first).to_be_visible()


def test_an_empty_pad_says_what_to_do_and_one_that_is_asked_about_that_it_is(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".empty")).to_have_text("Draw a digit, and every variant says what it is while you draw.")
    held: list[Route] = []
    let_go: list[bool] = []
    page.route("**/compare*", lambda route: route.continue_() if let_go else held.append(route))
    with page.expect_request("**/compare*"):
        draw(page, "4")
    expect(page.get_by_role("status").filter(has_text="Asking the variants …")).to_be_visible()
    expect(page.locator(".empty")).to_have_count(0)
    let_go.append(True)
    for route in held:  # on a busy machine the page asks more than once while it is drawn on
        route.continue_()
    expect(page.locator(".answer").first).to_be_visible()
    page.locator("canvas").press("Escape")
    expect(page.locator(".empty")).to_be_visible()


@pytest.mark.parametrize(("view", "ready"), [("Variants", "tbody tr"), ("Experiments", ".empty")])
def test_an_error_shows_what_the_gateway_says_and_the_next_try_takes_it_away(
    visit: Visit, view: str, ready: str
) -> None:
    page = visit(expected="status of 503")
    problem = '{"title": "Service Unavailable", "status": 503, "detail": "The store is away."}'

    def refuse(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body=problem)

    page.route(f"**/{view.lower()}", refuse)
    page.get_by_role("link", name=view).click()
    expect(page.get_by_role("alert")).to_contain_text("Service Unavailable The store is away.")
    page.unroute(f"**/{view.lower()}")
    expect(page.get_by_role("alert")).to_have_count(0)  # by itself
    expect(page.locator(ready).first).to_be_visible()


def test_a_gateway_that_wants_keys_is_given_one(visit: Visit, site: Site) -> None:
    with site.gateway(api_keys=digest("sesame")) as gateway:
        page = visit(at=gateway, expected="status of 401")
        draw(page, "6")
        page.get_by_label("Key of this server's clients").fill("sesame")
        page.get_by_role("button", name="Use it").click()
        expect(card(page, site.manifest["default"])).to_be_visible()
        page.context.close()


@pytest.mark.parametrize("key", ["reader", "labeller"])
def test_a_gateway_that_wants_keys_of_readers_is_given_one(visit: Visit, site: Site, key: str) -> None:
    with site.gateway(api_keys=f"read:{digest('reader')},label:{digest('labeller')}") as gateway:
        Experiment(gateway, "keyed")
        page = visit("#/experiments", at=gateway, expected="status of 401")
        give_reader(page, key)
        expect(page.get_by_role("link", name="keyed")).to_be_visible()
        page.goto(f"{gateway.url}/#/experiments/keyed")
        expect(page.get_by_role("heading", name="Verdict")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        page.context.close()


def test_an_experiment_asks_for_a_key_once(visit: Visit, site: Site) -> None:
    with site.gateway(api_keys=f"read:{digest('reader')}") as gateway:
        Experiment(gateway, "keyed")
        page = visit("#/experiments/keyed", at=gateway, expected="status of 40[13]")
        give_reader(page, "wrong")
        give_reader(page, "reader")
        expect(page.get_by_role("heading", name="Verdict")).to_be_visible()
        expect(page.get_by_text("The default is ")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        page.context.close()


def give_reader(page: Page, key: str) -> None:
    """Give the page a key for reading."""
    page.get_by_label("Reader's or labeller's key, or the administrators' token").fill(key)
    page.get_by_role("button", name="Use it").click()


@pytest.mark.parametrize(
    ("where", "title"),
    [("", "Draw a digit"), ("#/nowhere", "Draw a digit"), ("#/variants", "Variants"), ("#/variants/%", "Variants"),
     ("#/experiments", "Experiments")],
)  # fmt: skip
def test_a_link_leads_to_its_view(visit: Visit, where: str, title: str) -> None:
    page = visit(where)
    expect(page).to_have_title(f"{title} – dropserve")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_a_card_links_to_its_variant_and_back_leads_back(visit: Visit, site: Site) -> None:
    name = site.manifest["variants"][0]["name"]
    page = visit()
    draw(page, "0")
    drawn = said(page, name)
    card(page, name).get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"#/variants/{name}$"))
    expect(page.locator("tr[aria-current]")).to_contain_text(name)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Draw a digit")
    assert said(page, name) == drawn  # the drawing is still there


def test_the_language_is_the_browsers_until_another_is_chosen(visit: Visit) -> None:
    page = visit(locale="zh-CN")
    expect(page.get_by_role("heading", level=1)).to_have_text("写一个数字")
    draw(page, "1")
    page.get_by_label("语言").select_option("en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Draw a digit")
    expect(page.locator(".answer").first).to_be_visible()  # what was drawn stays
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Draw a digit")


def test_the_theme_is_the_systems_until_another_is_chosen(visit: Visit) -> None:
    page = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.locator("h1").wait_for()
    assert page.evaluate(ground) == dark
    page.get_by_label("Theme").select_option("auto")
    assert page.evaluate(ground) == light


def test_the_keyboard_skips_to_the_content(visit: Visit) -> None:
    page = visit("#/variants")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Variants")
