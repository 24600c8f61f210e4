"""uvicorn's HTTP protocol with limits: on heads, bodies and connections, and on the time that a client takes."""

import asyncio
import sys
from collections import deque
from functools import partial
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.gateway.server.connections import Connections
from serving.gateway.server.flow import AnswerTransport, QueueingFlow
from serving.gateway.server.heads import split_target, without_upgrade
from serving.gateway.server.limits import MALFORMED, Limits, Refusal, Refused, malformed
from serving.gateway.server.request_size import RequestSize
from serving.gateway.web.replies import Reply

LINGER_SECONDS = 1.0  # that a client has to take the answer to a request that it goes on sending
LAST_SECONDS = 5.0  # that clients have to take their answers when the worker ends
LINGER_BYTES = 2**20  # of such a request that are read and thrown away, since closing on them would lose the answer
MOST_ANNOUNCED = 2**22  # bytes of its rest, else none are read: its client could not send them to the end anyway
HEAD_BYTES = 4096  # that a request takes in memory beside its own
MOST_UPGRADES = 16  # requests in one piece of data that ask for another protocol: each takes a new parser


class LimitedProtocol(HttpToolsProtocol):
    """One connection; its application is `asgi.Application`, whose `refused` makes the answer to a refused request.

    uvicorn calls the methods: those of asyncio.Protocol, and those of httptools' parser.
    """

    limits: ClassVar[Limits]
    shares: ClassVar[Connections]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request; where there are too many connections, one of them goes."""
        address = _address(transport)
        self._flooded = self.shares.floods(address)
        if self._flooded:  # at once, which takes the least time
            self.app.dropped(Refusal.TOO_MANY_CONNECTIONS)
            transport.abort()
            return
        super().connection_made(transport)
        self.flow: QueueingFlow = QueueingFlow(transport, self.pipeline)
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._held: deque[int] = deque()  # bytes of each
        self._in_head = self._in_body = self._working = self._lingering = False
        self._thrown_away = self._unsent = self._begun = 0
        self._size: RequestSize  # of the request that is being read
        self._refused: Refused | None = None
        self._slow_reader: asyncio.TimerHandle | None = None
        self._answer_seconds = self.limits.client_seconds
        self._patience: asyncio.TimerHandle | None = self._close_later()
        self._is_shared = self.shares.is_shared(address)
        self.shares.add(self, address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers, and tell the application of each request that is not answered."""
        if self._flooded:
            return
        self._calm()
        if self._slow_reader:
            self._slow_reader.cancel()
        self._unset_keepalive()
        self._forget_head()
        for cycle, _ in self.pipeline:  # which nobody has begun to answer
            self._unanswered.remove(cycle)
        self.pipeline.clear()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        if self._unanswered:  # what it sent stays in memory until the application has ended with it
            self.shares.works(self)
        else:
            self.shares.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request, and begin to watch over the time until it is whole."""
        if self._refused or self._lingering:
            self._throw_away(data)
            return
        self._unset_keepalive()
        in_head, in_body = self._in_head, self._in_body
        self._feed(data)
        self._note(began=self._in_body and not in_body)
        if self._refused or self.transport.is_closing():
            return
        if self._in_head:
            self._begun += len(data)
            self.shares.hold(self, len(data))
            if self._refused:
                return
        try:
            if in_head and self._in_head:
                self._size.check_head(self._begun)
            if self._in_body:
                self._size.add_unfinished(len(data) if in_body else 0)
        except Refused as refused:
            self.refuse(refused)
            return
        if self._patience is None:
            if not self._unanswered:
                self._patience = self._close_later()
            elif self.cycle.more_body:
                self._patience = self.loop.call_later(self.limits.client_seconds, self._body_is_late)

    def eof_received(self) -> bool:  # type: ignore[override]  # True keeps the way to the client open
        """Refuse a request that was cut short; answer a whole one before the connection is closed."""
        if not self._unanswered:
            return False
        if self._refused:
            return True
        if self.cycle.more_body:
            self.refuse(malformed("its body is shorter than announced."))
        else:
            self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Begin to watch over the time in which the client takes its answer, whose rest is held meanwhile."""
        super().pause_writing()
        self._slow_reader = self.loop.call_later(self._answer_seconds, self.transport.abort)
        self._unsent = self.transport.get_write_buffer_size()
        self._note()
        self.shares.hold(self, self._unsent)

    def resume_writing(self) -> None:
        """Go on sending."""
        if self._slow_reader:
            self._slow_reader.cancel()
            self._slow_reader = None
        self.shares.release(self, self._unsent)
        self._unsent = 0
        self._note()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head, self._size = True, RequestSize(self.limits)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Read a part of the target."""
        self._size.add_target(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header field."""
        self._size.add_field(name, value)
        if not self._in_head:
            return  # a trailer, which nobody reads
        if name.lower() == b"content-length":
            self._size.announced = int(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a body, unless it is announced to be too large."""
        self._in_head = False
        self._calm()
        if self.parser.should_upgrade():
            return  # `_feed` reads it again without
        if not self.url.startswith((b"/", b"*")):
            self.url, self.headers[:] = split_target(self.url, self.headers)
        super().on_headers_complete()  # raises where the target cannot be read
        self._in_body = True
        self.scope["ended"] = partial(self._ended, self.cycle)  # type: ignore[typeddict-unknown-key]
        self.cycle.transport = AnswerTransport(self.transport, self.close_after_answer)  # type: ignore[assignment]  # all that it needs
        self._unanswered.append(self.cycle)
        self._held.append(0)
        self._forget_head()
        self._hold(HEAD_BYTES + self._size.head)
        if self._is_shared:
            self.shares.assign(self, self.app.client(self.scope))
            if self._refused:
                raise self._refused
        path = self.scope["path"]
        self._size.begin_body(self.app.most_body(path), partial(self.app.too_large, path))

    def on_body(self, body: bytes) -> None:
        """Read a part of a body."""
        self._size.add_body(body)
        if not self.cycle.response_complete:
            self._hold(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a body."""
        self._calm()
        if not self.parser.should_upgrade():
            self._in_body = False
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or with a refusal that had to wait for its turn."""
        self._unanswered.popleft()
        self.shares.release(self, self._held.popleft())
        super().on_response_complete()
        self._note()
        if self.transport.is_closing():
            self._abort_later()
        elif self._in_body and self.cycle.response_complete:
            self._linger()
        elif self._refused and not self._unanswered:
            self._answer(self._refused)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that the parser, or a limit of this class, does not let pass."""
        error = sys.exception()  # the parser's, during which one of ours was raised where a limit was passed
        cause = error.__context__ if error else None
        self.refuse(cause if isinstance(cause, Refused) else malformed(f"{error or msg}."))

    def close_after_answer(self) -> None:
        """Close the connection; where the client still sends its request, give it time to take the answer."""
        if self._in_body and self.cycle.response_complete:
            self._linger()
        else:
            self.transport.close()

    def drop(self) -> None:
        """End the connection, for which there is no more room."""
        self.app.dropped(Refusal.TOO_MANY_CONNECTIONS)
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is idle, or whose client does not take its last answer."""
        self.transport.abort()

    def shutdown(self) -> None:
        """End the connection when its requests are answered, soon if its client does not take the answers."""
        self._answer_seconds = LAST_SECONDS
        super().shutdown()
        if self.transport.is_closing() or self._unsent:
            self.loop.call_later(LAST_SECONDS, self.transport.abort)

    def _feed(self, data: bytes) -> None:
        for _ in range(MOST_UPGRADES):
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("")
                return
            if self.parser.get_method() == b"CONNECT":
                self.refuse(malformed("it asks for a tunnel."))
                return
            data = self._without_upgrade(rest)
        self.refuse(malformed("too many requests at once ask for another protocol."))

    def _without_upgrade(self, rest: bytes) -> bytes:
        """Return a request that asks for another protocol as if it did not: clients offer HTTP/2 with a body behind."""
        version = self.parser.get_http_version().encode()
        head = without_upgrade(b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        return head + rest

    def _close_later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.limits.idle_seconds, self.transport.abort)

    def _abort_later(self) -> None:
        """End a connection that is being closed even if its client does not take the last answer."""
        if self._slow_reader is None:
            self._slow_reader = self.loop.call_later(self._answer_seconds, self.transport.abort)

    def _calm(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None

    def _unset_keepalive(self) -> None:
        if self.timeout_keep_alive_task:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _body_is_late(self) -> None:
        detail = f"{MALFORMED}its body did not come within {self.limits.client_seconds:g} seconds."
        self.refuse(Refused(Refusal.LATE, detail))

    def _forget_head(self) -> None:
        self.shares.release(self, self._begun)
        self._begun = 0

    def _hold(self, size: int) -> None:
        """Count bytes of the last request; raise Refused where there is no room for them."""
        self._held[-1] += size
        self.shares.hold(self, size)
        if self._refused:
            raise self._refused

    def _ended(self, cycle: RequestResponseCycle) -> None:
        """Forget a request of a client that has gone, now that the application has ended with it."""
        if cycle.disconnected and cycle in self._unanswered:
            self._unanswered.remove(cycle)
            if not self._unanswered:
                self.shares.remove(self)

    def _note(self, *, began: bool = False) -> None:
        """Tell whether the connection waits for its client; where a body `began`, it has not waited so far."""
        waited_for = self._in_body and not self._refused
        working = len(self._unanswered) > waited_for and not self._unsent
        if working and not self._working:
            self.shares.works(self)
        elif not working and (self._working or began):
            self.shares.waits(self)
        self._working = working

    def _throw_away(self, data: bytes) -> None:
        self._thrown_away += len(data)
        if self._thrown_away > LINGER_BYTES:
            self._read_no_more()

    def _read_no_more(self) -> None:
        self.flow.pause_reading()
        self.flow.ended = True

    def refuse(self, refused: Refused) -> None:
        """Answer no request that comes after this one, and this one when those before it are answered."""
        if self._unsent:  # it could not take a refusal either
            self.app.dropped(refused.refusal)
            self.shares.remove(self)
            self.loop.call_soon(self.transport.abort)
            return
        if self._refused or self._lingering:
            return
        self._refused = refused
        self._forget_head()
        self._calm()
        self._unset_keepalive()
        cycle = self.cycle
        if self._in_body and cycle.response_complete:  # it has its answer, which did not need the body
            self._linger()
            return
        if self._in_body:  # the application waits for the rest
            self._unanswered.pop()
            self.shares.release(self, self._held.pop())
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
            cycle.disconnected, cycle.waiting_for_100_continue = True, False
            # An application that has not begun with it need not.
            cycle.scope["refused"] = True  # type: ignore[typeddict-unknown-key]
            cycle.message_event.set()
        if not self._unanswered:
            self._answer(refused)

    def _answer(self, refused: Refused) -> None:
        whole = self.scope is not None and "path" in self.scope
        reply = self.app.refused(self.scope if whole else None, self.client, refused)
        self.transport.write(_serialized(reply, refused.refusal))
        self._linger()

    def _linger(self) -> None:
        """Send no more, and end the connection soon: closing it while data is on the way would lose the answer."""
        if self._lingering:
            return
        self._lingering = True
        self._calm()
        self._unset_keepalive()
        if self._in_body and self._size.announced - self._size.body > MOST_ANNOUNCED:
            self._read_no_more()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def _address(transport: asyncio.Transport) -> str:
    """Return the address of the other side, empty for a Unix socket."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


def limited(limits: Limits) -> type[LimitedProtocol]:
    """Return the protocol with `limits`."""
    return type("Protocol", (LimitedProtocol,), {"limits": limits, "shares": Connections(limits)})


def _serialized(reply: Reply, refusal: Refusal) -> bytes:
    headers: list[tuple[str, Any]] = [*reply.headers, ("Content-Length", len(reply.body)), ("Connection", "close")]
    head = [f"HTTP/1.1 {refusal.status} {refusal.phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(head).encode("latin-1") + reply.body
