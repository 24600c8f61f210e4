"""Bound the structure of JSON before it is parsed: a list costs many times its two bytes in memory."""

from typing import NamedTuple

from serving.gateway.errors import TooLarge

STARTS = (b"[", b"{", b'"')  # of lists and objects; texts have two
SEPARATOR = b","


class Structure(NamedTuple):
    """The most structure of a body: starts of lists, objects and texts, and separators of members; `of` names it."""

    starts: int
    separators: int
    of: str

    def check(self, body: bytes) -> None:
        """Raise TooLarge for JSON with more."""
        if len(body) <= self.starts:
            return
        if sum(map(body.count, STARTS)) > self.starts or body.count(SEPARATOR) > self.separators:
            raise TooLarge(f"The JSON has more lists, objects, texts and members than {self.of} need.")
