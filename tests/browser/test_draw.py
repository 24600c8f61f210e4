import pytest

from tests.browser.conftest import STROKES, Visit, answering, draw


def test_each_digit_that_is_drawn_gets_its_answer(visit: Visit) -> None:
    page = visit()
    answers = {}
    for digit in STROKES:
        draw(page, digit)
        answers[digit] = answering(page)
        page.locator("canvas").press("Escape")
    assert answers == {digit: digit for digit in STROKES}
