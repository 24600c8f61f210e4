"""A hand that draws digits on the page, with a mouse, a finger or a pen, and eyes that read its answers."""

import json
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page

Point = tuple[float, float]

# By digit: strokes, each a polyline in a square of side 1.
STROKES: dict[str, list[list[Point]]] = json.loads((Path(__file__).parent / "strokes.json").read_text())
BETWEEN = 2  # events from one point of a polyline to the next


def draw(page: Page, digit: str) -> None:
    """Draw a digit with the mouse."""
    for stroke in _strokes(page, digit):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point, steps=BETWEEN)
        page.mouse.up()


def touch(page: Page, digit: str) -> None:
    """Draw a digit with a finger."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: Point) -> None:
        fingers = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    for stroke in _strokes(page, digit):
        send("touchStart", stroke[0])
        for (x0, y0), (x1, y1) in zip(stroke, stroke[1:], strict=False):
            send("touchMove", ((x0 + x1) / 2, (y0 + y1) / 2))
            send("touchMove", (x1, y1))
        send("touchEnd")


def pen(page: Page, digit: str) -> None:
    """Draw a digit with a pen."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, point: Point, button: str = "left") -> None:
        x, y = point
        where = {"type": kind, "x": x, "y": y, "button": button, "clickCount": 1, "pointerType": "pen"}
        session.send("Input.dispatchMouseEvent", where)

    for stroke in _strokes(page, digit):
        send("mousePressed", stroke[0])
        for point in stroke[1:]:
            send("mouseMoved", point)
        send("mouseReleased", stroke[-1])


def _strokes(page: Page, digit: str) -> Iterator[list[Point]]:
    box = page.locator("canvas").bounding_box()
    assert box is not None
    for stroke in STROKES[digit]:
        yield [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def card(page: Page, variant: str) -> Locator:
    """Return what the page shows of a variant's answer, once it is about what was drawn last."""
    page.locator('[aria-busy="false"] .answer').first.wait_for()
    return page.get_by_role("article", name=variant, exact=True)


def said(page: Page, variant: str) -> str:
    """Return the label that a variant gives to what was drawn last."""
    return card(page, variant).locator(".said strong").inner_text()
