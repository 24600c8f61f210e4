"""Header blocks as a client sends them over HTTP/2: in one frame or several, at first with a table that it may fill."""

from hpack import Decoder

from serving import http2
from serving.http2 import Frame, Malformed, decode, decoded


class HeaderBlocks:
    """The header blocks of one connection."""

    def __init__(self) -> None:
        self._begun: tuple[Frame, bytes] | None = None  # HEADERS whose block goes on, and the block so far
        self._decoder: Decoder | None = Decoder(http2.MOST_HEADER_BYTES)  # None once there is no dynamic table

    def check(self, came: Frame) -> None:
        """Raise Malformed for a frame that comes where a block has to go on."""
        if self._begun and (came.kind != http2.CONTINUATION or came.stream != self._begun[0].stream):
            raise Malformed("a frame came between HEADERS and their CONTINUATION")

    def take(self, came: Frame) -> tuple[Frame, dict[str, str]] | None:
        """Take HEADERS or CONTINUATION, and return the HEADERS and what they say if that is all; raise Malformed."""
        if came.kind == http2.HEADERS:
            first, block = came, came.content()
        elif self._begun:
            first, block = self._begun[0], self._begun[1] + came.payload
        else:
            raise Malformed("a CONTINUATION of nothing")
        if len(block) > http2.MOST_HEADER_BYTES:
            raise Malformed(f"headers of more than {http2.MOST_HEADER_BYTES} bytes", http2.CALM)
        if not came.flags & http2.END_HEADERS:
            self._begun = first, block
            return None
        self._begun = None
        return first, self._decoded(block)

    def use_no_table(self) -> None:
        """Hold the client to what it has agreed to."""
        if self._decoder:
            self._decoder.max_allowed_table_size = 0

    def _decoded(self, block: bytes) -> dict[str, str]:
        if self._decoder is None:
            return decode(block)
        headers = decoded(self._decoder, block)
        if not self._decoder.header_table_size:
            self._decoder = None
        return headers
