"""Count the bytes of a request as they come, and refuse one that passes a limit."""

from collections.abc import Callable

from serving.gateway.server.limits import MALFORMED, Limits, Refusal, Refused, head_too_large

OVERHEAD = 8  # bytes on the way for each byte of a body: a chunk of one byte has six


class RequestSize:
    """The bytes of one request so far; each method raises Refused where they pass a limit.

    `head` has the bytes of its target and its fields, `announced` its Content-Length, `body` the bytes of its body.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.head = self.announced = self.body = 0
        self._target = self._fields = self._on_the_way = self._trailer = self._body_before = self._most_body = 0

    def add_target(self, part: bytes) -> None:
        """Count a part of the target."""
        self._target += len(part)
        self.head += len(part)
        if self._target > self._limits.line:
            detail = f"{MALFORMED}its target is longer than {self._limits.line} bytes."
            raise Refused(Refusal.LINE_TOO_LONG, detail)

    def add_field(self, name: bytes, value: bytes) -> None:
        """Count a field of the head, or of a trailer."""
        self._fields += 1
        if self._fields > self._limits.fields:
            raise head_too_large(f"it has more than {self._limits.fields} header fields.")
        if len(name) + len(value) > self._limits.field:
            raise head_too_large(f"a header field is longer than {self._limits.field} bytes.")
        self.head += len(name) + len(value)
        self.check_head(self.head)

    def check_head(self, size: int) -> None:
        """Look at the size of a head, which on the way may be larger than its target and fields."""
        if size > self._limits.head:
            raise head_too_large(f"its head is longer than {self._limits.head:,} bytes.")

    def begin_body(self, most: int, too_large: Callable[[], str]) -> None:
        """Begin a body of `most` bytes at most; `too_large` says what is wrong with a larger one."""
        self._most_body, self._too_large = most, too_large
        self._check_body(self.announced)

    def add_body(self, part: bytes) -> None:
        """Count a part of the body."""
        self.body += len(part)
        self._check_body(self.body)

    def add_unfinished(self, size: int) -> None:
        """Count bytes on the way, with which the body has not ended: they may bring little of it, or a trailer.

        Those that came with its head count as none.
        """
        self._trailer = 0 if self.body > self._body_before else self._trailer + size
        self._body_before = self.body
        if self._trailer > self._limits.head:
            raise head_too_large(f"its trailer is longer than {self._limits.head:,} bytes.")
        self._on_the_way += size
        if self._on_the_way > OVERHEAD * self._most_body + self._limits.head:
            raise self._body_too_large()

    def _check_body(self, size: int) -> None:
        if size > self._most_body:
            raise self._body_too_large()

    def _body_too_large(self) -> Refused:
        return Refused(Refusal.BODY_TOO_LARGE, self._too_large())
