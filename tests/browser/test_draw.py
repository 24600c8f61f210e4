"""Drawing, and other ways to give a picture, on the models that were trained."""

import base64
import re
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from testing.encoded import encode
from testing.machine import ROOT
from tests.browser.conftest import PHONE, Visit
from tests.browser.hand import STROKES, card, draw, pen, said, touch
from tests.browser.site import Site

BOX = 0, 95, 153  # the colour of boxes
SEVEN = ROOT / "docs" / "seven.png"


@pytest.fixture
def default(site: Site) -> str:
    """The variant that answers where none is named."""
    return site.manifest["default"]


@pytest.mark.parametrize(
    ("by", "options"), [(draw, {}), (touch, {"viewport": PHONE, "has_touch": True})], ids=["mouse", "touch"]
)
def test_each_digit_that_is_drawn_is_read(
    visit: Visit, default: str, by: Callable[[Page, str], None], options: dict
) -> None:
    page, read = visit(**options), {}
    for digit in STROKES:
        by(page, digit)
        read[digit] = said(page, default)
        page.locator("canvas").press("Escape")
    assert read == {digit: digit for digit in STROKES}


def test_a_pen_draws_too(visit: Visit, default: str) -> None:
    page = visit()
    page.evaluate("addEventListener('pointerdown', (event) => (window.drawnBy = event.pointerType), true)")
    pen(page, "8")
    assert said(page, default) == "8"
    assert page.evaluate("drawnBy") == "pen"


FINGERS = """async (events) => {
  const canvas = document.querySelector("canvas");
  canvas.setPointerCapture = () => {}; // these pointers are made up
  const { x: left, y: top, width, height } = canvas.getBoundingClientRect();
  for (const [type, pointerId, x, y] of events) {
    const at = { clientX: left + x * width, clientY: top + y * height };
    canvas.dispatchEvent(new PointerEvent(`pointer${type}`, { pointerId, isPrimary: pointerId !== 2, ...at }));
  }
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return canvas.toDataURL();
}"""


@pytest.mark.parametrize("other", [2, 3], ids=["a second finger", "a palm beside a pen"])
def test_another_finger_leaves_the_stroke_alone(visit: Visit, other: int) -> None:
    begun, ended = [["down", 1, 0.2, 0.2], ["move", 1, 0.5, 0.3]], [["move", 1, 0.8, 0.8], ["up", 1, 0.8, 0.8]]
    touched = [["down", other, 0.1, 0.9], ["move", other, 0.2, 0.9], ["up", other, 0.2, 0.9]]
    assert visit().evaluate(FINGERS, [*begun, *touched, *ended]) == visit().evaluate(FINGERS, [*begun, *ended])


def test_the_models_see_the_same_whatever_the_screens_density(visit: Visit) -> None:
    seen = set()
    for density in (1, 2, 3):
        page = visit(device_scale_factor=density)
        draw(page, "5")
        page.locator('[aria-busy="false"]').wait_for()
        seen.add(page.locator(".seen img").get_attribute("src"))
    assert len(seen) == 1


def test_a_picture_can_be_pasted(visit: Visit, default: str) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (bytes) => navigator.clipboard.write([
             new ClipboardItem({ "image/png": new Blob([new Uint8Array(bytes)], { type: "image/png" }) })])""",
        list(SEVEN.read_bytes()),
    )
    page.keyboard.press("Control+V")
    assert said(page, default) == "7"


def test_a_picture_can_be_picked_and_taken_back(visit: Visit, default: str) -> None:
    page = visit()
    page.get_by_label("Pick a picture").set_input_files(SEVEN)
    assert said(page, default) == "7"
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".answer")).to_have_count(0)


def test_a_picture_can_be_dropped(visit: Visit, default: str) -> None:
    page = visit()
    data = page.evaluate_handle(
        """(bytes) => { const data = new DataTransfer();
             data.items.add(new File([new Uint8Array(bytes)], "seven.png", { type: "image/png" })); return data; }""",
        list(SEVEN.read_bytes()),
    )
    page.locator("canvas").dispatch_event("drop", {"dataTransfer": data})
    assert said(page, default) == "7"


def test_a_picture_that_cannot_be_read_is_told_of(visit: Visit) -> None:
    page = visit(expected="status of 422")
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": SEVEN.read_bytes()[:60]}
    page.get_by_label("Pick a picture").set_input_files(broken)  # type: ignore[arg-type]
    expect(page.get_by_role("alert")).to_contain_text("The PNG image is damaged or cut off")
    draw(page, "1")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(("language", "why"), [("en-GB", "Nothing on this picture"), ("zh-CN", "图片上没有")])
def test_a_blank_picture_is_told_of_in_each_language(visit: Visit, language: str, why: str) -> None:
    page = visit(expected="status of 422", locale=language)
    blank = {"name": "blank.png", "mimeType": "image/png", "buffer": encode(Image.new("L", (90, 90), 255))}
    page.locator("input[type=file]").set_input_files(blank)  # type: ignore[arg-type]
    expect(page.locator(".unread")).to_contain_text(why)


def blue(page: Page) -> int:
    """Return how many pixels of the pad have the colour of boxes."""
    url = page.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as shown:
        return int((np.asarray(shown.convert("RGB")) == BOX).all(axis=2).sum())


def test_the_digit_that_was_found_is_marked_on_its_picture(visit: Visit) -> None:
    page = visit()
    page.get_by_label("Pick a picture").set_input_files(SEVEN)
    page.locator('[aria-busy="false"]').wait_for()
    assert blue(page) > 50
    page.locator("canvas").press("Escape")
    assert blue(page) == 0


def test_each_of_several_digits_is_shown(visit: Visit) -> None:
    page = visit()
    with Image.open(SEVEN) as seven:
        both = Image.new("L", (2 * seven.width, seven.height), 255)
        for at in range(2):
            both.paste(seven.convert("L"), (at * seven.width, 0))
    file = {"name": "both.png", "mimeType": "image/png", "buffer": encode(both)}
    page.get_by_label("Pick a picture").set_input_files(file)  # type: ignore[arg-type]
    expect(page.locator(".digits li")).to_have_count(2)
    expect(page.locator(".sentence")).to_contain_text("2 digits, from left to right: 7 7.")
    assert blue(page) > 50


def test_a_test_image_is_read_without_a_pen(visit: Visit, default: str) -> None:
    page = visit()
    button = page.get_by_role("button", name="Test image of a 3", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert said(page, default) == "3"


def test_keys_undo_clear_and_label(visit: Visit) -> None:
    page = visit()
    pad = page.locator("canvas")
    draw(page, "4")
    page.locator('[aria-busy="false"]').wait_for()
    both = page.locator(".seen img").get_attribute("src")
    pad.press("z")
    expect(page.locator('[aria-busy="false"] .seen img')).not_to_have_attribute("src", both or "")
    pad.press("7")
    expect(page.locator(".thanks")).to_have_text("✓ Thank you. It is stored that this was a 7.")
    pad.press("z")
    expect(page.get_by_text("Draw a digit, and every variant")).to_be_visible()


def test_feedback_is_stored_once(visit: Visit, default: str) -> None:
    page = visit(expected="status of 409")
    draw(page, "2")
    expect(page.locator(".who")).to_have_text(f"{default} answers: it is a {said(page, default)}.")
    page.get_by_role("button", name="2", exact=True).click()
    expect(page.get_by_role("button", name="2", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".thanks")).to_be_visible()
    page.get_by_role("button", name="9", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Conflict")


def test_a_card_shows_all_that_its_variant_says(visit: Visit) -> None:
    page = visit()
    with page.expect_response("**/compare*") as compared:
        page.get_by_role("button", name="Test image of a 8", exact=True).click()
    [result] = compared.value.json()["results"]
    for said_by in result["variants"]:
        shown = card(page, said_by["variant"])
        expect(shown.locator(".said")).to_contain_text(f"{said_by['label']} {said_by['confidence']:.1%}")
        expect(shown.locator(".bars li")).to_have_text(
            [f"{digit} {share:.1%}" for digit, share in enumerate(said_by["probabilities"])]
        )
        expect(shown.locator(".bars .top")).to_contain_text(said_by["label"])
        widths = shown.locator("rect").evaluate_all("bars => bars.map((bar) => parseFloat(bar.getAttribute('width')))")
        assert widths == pytest.approx([100 * share for share in said_by["probabilities"]])
        expect(shown).to_contain_text(re.compile(rf"[\d.]+ ms, version {said_by['version']}"))
    seen = page.get_by_alt_text("The picture as the models saw it")
    expect(seen).to_have_attribute("src", result["seen"])
    assert seen.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [28, 28]


def test_who_disagrees_is_seen_at_a_glance(visit: Visit) -> None:
    page = visit()
    for digit in range(10):
        with page.expect_response("**/compare*") as compared:
            page.get_by_role("button", name=f"Test image of a {digit} that is hard to read").click()
        [result] = compared.value.json()["results"]
        labels = [said_by["label"] for said_by in result["variants"]]
        dissenters = [v["variant"] for v in result["variants"] if 2 * labels.count(v["label"]) < len(labels)]
        if 0 < len(dissenters) < len(labels) / 2:
            break
    for said_by in result["variants"]:
        word = "≠ differs" if said_by["variant"] in dissenters else "= agrees"
        expect(card(page, said_by["variant"]).locator(".said .badge")).to_have_text(word)
    for dissenter in dissenters:
        expect(page.locator(".sentence")).to_contain_text(f"{dissenter} says")


def test_variants_that_can_say_how_sure_they_are(visit: Visit, site: Site) -> None:
    page = visit()
    draw(page, "8")
    for variant in site.manifest["variants"]:
        able = "mc_dropout" in variant["signatures"]
        expect(card(page, variant["name"]).locator(".doubt")).to_have_count(int(able))
    expect(page.locator(".doubt").first).to_have_text(re.compile(r"entropy [\d.]+ nats"))


def test_an_answer_about_an_earlier_drawing_is_dropped(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/compare*", hold_the_first)
    with page.expect_event("requestfailed", lambda request: "/compare" in request.url):
        with page.expect_request("**/compare*"):
            draw(page, "1")
        draw(page, "7")
    page.locator('[aria-busy="false"] .answer').first.wait_for()
