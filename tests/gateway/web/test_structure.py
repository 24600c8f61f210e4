"""The structure of JSON is bounded before it is parsed."""

import pytest

from serving.gateway.errors import TooLarge
from serving.gateway.web.structure import PIECE, Structure

MOST = Structure(starts=50_000, separators=60_000)
TEXT = b"x" * PIECE


@pytest.mark.parametrize("many", [b"[" * 50_000, b"{" * 50_000, b'"' * 50_000, b"," * 60_000])
@pytest.mark.parametrize("place", [0, 1, 2.5])
def test_as_much_as_is_allowed_is_read_wherever_it_stands(many: bytes, place: float) -> None:
    before = bytes(int(place * PIECE))
    MOST.check(before + many + TEXT)
    with pytest.raises(TooLarge, match=r"\b50,001 .* 0 commas|\b0 .* 60,001 commas"):
        MOST.check(before + many + TEXT + many[:1])


def test_few_commas_do_not_hide_many_brackets() -> None:
    with pytest.raises(TooLarge):
        Structure(starts=10, separators=1000).check(b"[" * 11)


def test_the_rest_of_what_is_too_much_is_not_looked_at() -> None:
    with pytest.raises(TooLarge, match=f"first {PIECE:,} bytes .* {PIECE:,} brackets"):
        MOST.check(b"[" * PIECE + bytes(2**24))
