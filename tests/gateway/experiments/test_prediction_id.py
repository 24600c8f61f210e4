import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.experiments.prediction_id import Exposed, PredictionRef, read, sign

SECRET = b"a secret"
EXPOSED = Exposed(3, 2, -(2**63), 1, 0)
BOTH = pytest.mark.parametrize("exposed", [None, EXPOSED])


@BOTH
def test_an_id_says_what_was_signed(exposed: Exposed | None) -> None:
    prediction = PredictionRef("0123abcd.17", "sieben ∞", "l2", 12, exposed)
    assert read(SECRET, sign(SECRET, prediction)) == prediction


@BOTH
def test_an_id_of_another_key_is_unknown(exposed: Exposed | None) -> None:
    assert read(b"another", sign(SECRET, PredictionRef("a.0", "7", "l2", 1, exposed))) is None


def test_no_character_of_an_id_can_be_changed() -> None:
    prediction = PredictionRef("a.0", "7", "l2", 1, EXPOSED)
    text = sign(SECRET, prediction)
    for at, old in enumerate(text[:-1]):  # the last one has bits that say nothing
        changed = text[:at] + ("A" if old != "A" else "B") + text[at + 1 :]
        assert read(SECRET, changed) is None


@given(st.text())
def test_any_other_text_is_unknown(text: str) -> None:
    assert read(SECRET, text) is None


def test_a_long_text_is_not_looked_at() -> None:
    assert read(SECRET, sign(SECRET, PredictionRef("a.0", "7" * 4000, "l2", 1, None))) is None
