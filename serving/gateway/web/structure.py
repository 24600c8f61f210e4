"""Bound the structure of JSON before it is parsed: a list costs many times its two bytes in memory."""

from typing import NamedTuple

from serving.gateway.errors import TooLarge

STARTS = (b"[", b"{", b'"')  # of lists and objects; texts have two
SEPARATOR = b","
PIECE = 65_536  # bytes that are looked at at once, since counting holds Python's lock


class Structure(NamedTuple):
    """The most structure of a body: starts of lists, objects and texts, and separators of members."""

    starts: int
    separators: int

    def check(self, body: bytes) -> None:
        """Raise TooLarge for JSON with more."""
        if len(body) <= min(self):
            return
        starts = separators = 0
        for at in range(0, len(body), PIECE):
            end = min(at + PIECE, len(body))
            starts += sum(body.count(each, at, end) for each in STARTS)
            separators += body.count(SEPARATOR, at, end)
            if starts > self.starts or separators > self.separators:
                raise TooLarge(
                    f"The first {end:,} bytes of the JSON have {starts:,} brackets, braces and quotes, and "
                    f"{separators:,} commas; at most {self.starts:,} and {self.separators:,} are read. "
                    "Send less in one request."
                )
