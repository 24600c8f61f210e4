import base64
import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.experiments.prediction_id import (
    HEAD_BYTES,
    TAG_BYTES,
    Exposed,
    PredictionRef,
    image_hash,
    read,
    sign,
)

SECRET = b"a secret"
EXPOSED = Exposed(3, 2, -(2**63), 1, 0, 1_800_000_000)
BOTH = pytest.mark.parametrize("exposed", [None, EXPOSED])


LABELS = ["7", "sieben ∞", "7", "1"] * 80


def ids(exposed: Exposed | None = EXPOSED, labels: list[str] = LABELS) -> list[str]:
    images = range(-1, len(labels) - 1) if exposed else ()
    return sign(SECRET, "0123456789abcdef01234567", labels, "l2", 12, exposed, images)


@BOTH
def test_ids_say_what_was_signed(exposed: Exposed | None) -> None:
    assert [read(SECRET, text) for text in ids(exposed)] == [
        PredictionRef(f"0123456789abcdef01234567.{at}", label, "l2", 12, exposed, at - 1 if exposed else 0)
        for at, label in enumerate(LABELS)
    ]


@BOTH
def test_an_id_of_another_key_is_unknown(exposed: Exposed | None) -> None:
    assert read(b"another", ids(exposed)[0]) is None


@pytest.mark.parametrize("number", [0, 255, 256, 319])
def test_no_character_of_an_id_can_be_changed(number: int) -> None:
    text = ids()[number]
    for at, old in enumerate(text[:-1]):  # the last one has bits that say nothing
        changed = text[:at] + ("A" if old != "A" else "B") + text[at + 1 :]
        assert read(SECRET, changed) is None


def test_no_tag_is_that_of_another_image_or_label() -> None:
    decoded = [base64.urlsafe_b64decode(text + "==") for text in ids()]
    assert len({raw[:TAG_BYTES] for raw in decoded}) == len(LABELS)
    for raw in decoded[1:]:
        forged = base64.urlsafe_b64encode(decoded[0][:HEAD_BYTES] + raw[HEAD_BYTES:]).decode().rstrip("=")
        same_claim = raw[HEAD_BYTES:] == decoded[0][HEAD_BYTES:]
        assert (read(SECRET, forged) is not None) == same_claim


def test_a_tag_is_keyed_blake2b_of_the_claim_the_number_and_the_image() -> None:
    raw = base64.urlsafe_b64decode(ids()[1] + "==")
    place = (1).to_bytes(4) + (0).to_bytes(8)
    message = raw[HEAD_BYTES:] + place
    tag = hashlib.blake2b(message, key=SECRET, digest_size=TAG_BYTES, person=b"prediction id").digest()
    assert raw[:HEAD_BYTES] == tag + place


def test_equal_pixels_have_one_hash_that_the_secret_decides() -> None:
    image, other = bytes(784), bytes(783) + b"\1"
    assert image_hash(SECRET, image) == image_hash(SECRET, bytes(784))
    assert len({image_hash(SECRET, image), image_hash(SECRET, other), image_hash(b"another", image)}) == 3
    assert -(2**63) <= image_hash(SECRET, image) < 2**63


CHARACTERS = [*string.ascii_letters, *string.digits, *"-_=+/. \n\0é∞\U0001f600\ud800"]  # base64, and no base64


@given(st.text(st.sampled_from(CHARACTERS)))
def test_any_other_text_is_unknown(text: str) -> None:
    assert read(SECRET, text) is None


def test_a_long_text_is_not_looked_at() -> None:
    assert read(SECRET, ids(labels=["7" * 8000])[0]) is None
