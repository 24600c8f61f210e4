"""Bound the structure of JSON before it is parsed: a list costs many times its two bytes in memory."""

from typing import NamedTuple

from serving.gateway.errors import TooLarge

STARTS = (b"[", b"{", b'"')  # of lists and objects; texts have two
SEPARATOR = b","


class Structure(NamedTuple):
    """The most structure of a body: starts of lists, objects and texts, and separators of members."""

    starts: int
    separators: int

    def check(self, body: bytes) -> None:
        """Raise TooLarge for JSON with more."""
        if len(body) <= self.separators:
            return
        starts, separators = sum(map(body.count, STARTS)), body.count(SEPARATOR)
        if starts > self.starts or separators > self.separators:
            raise TooLarge(
                f"The JSON has {starts:,} brackets, braces and quotes, and {separators:,} commas; at most "
                f"{self.starts:,} and {self.separators:,} are read. Send less in one request."
            )
