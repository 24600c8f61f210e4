"""Send one message to the receiver of webhooks, at an address that was checked, within one deadline."""

import http.client
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from serving.gateway.access.proxies import Network
from serving.gateway.webhooks.addresses import RefusedAddress, port_of, resolve
from serving.gateway.webhooks.notifier import NotDelivered
from serving.gateway.webhooks.signature import headers

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0  # to one address, with TLS
ATTEMPT_SECONDS = 15.0  # from the question for the host's addresses to the answer's headers
MOST_ADDRESSES = 3  # of a host that has several
AGENT = "dropserve-webhooks"
FAILURES = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class Receiver:
    """The receiver at a URL, of which a checked address is asked each time."""

    def __init__(
        self,
        url: str,
        secrets: list[bytes],
        allowed: tuple[Network, ...] = (),
        *,
        trust: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to sign with each of `secrets`; `trust` is a file of certificates instead of the usual ones."""
        self._parts, self._target = urlsplit(url), urllib3.util.parse_url(url).request_uri
        self._secrets, self._allowed, self._clock = secrets, allowed, clock
        self._tls = ssl.create_default_context(cafile=trust or certifi.where())

    def deliver(self, message: str, body: bytes) -> None:
        """Send a message; raise NotDelivered unless it was answered by 2xx within ATTEMPT_SECONDS."""
        until = time.monotonic() + ATTEMPT_SECONDS
        with closing(self._connect(self._addresses(until), until)) as connection:
            status = self._post(connection, message, body, until)
        if not 200 <= status < 300:
            raise NotDelivered(f"answered {status}")

    def _addresses(self, until: float) -> list[str]:
        """Return the addresses of the host now; a thread asks, since a resolver has no deadline."""
        answers: queue.SimpleQueue[list[str] | RefusedAddress] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(resolve(self._parts, self._allowed)[:MOST_ADDRESSES])
            except RefusedAddress as error:
                answers.put(error)

        threading.Thread(target=ask, name="webhooks-resolver", daemon=True).start()
        try:
            answer = answers.get(timeout=_left(until))
        except queue.Empty:
            raise _too_late() from None
        if isinstance(answer, RefusedAddress):
            logger.warning("webhooks: %s", answer)  # readers of events need not know this network
            raise NotDelivered("its host has no address that may be called; the log says why") from answer
        return answer

    def _connect(self, addresses: list[str], until: float) -> HTTPConnection:
        """Return a connection to the first address that takes one; TLS asks for the host's name."""
        failure: Exception | None = None
        for address in addresses:
            connection = self._connection(address, min(CONNECT_SECONDS, _left(until)))
            try:
                connection.connect()
                return connection
            except FAILURES as error:
                connection.close()
                failure = error
        raise NotDelivered(type(failure).__name__) from failure

    def _connection(self, address: str, seconds: float) -> HTTPConnection:
        port = port_of(self._parts)
        if self._parts.scheme == "http":
            return HTTPConnection(address, port, timeout=seconds)
        return HTTPSConnection(
            address, port, timeout=seconds, ssl_context=self._tls, server_hostname=self._parts.hostname
        )

    def _post(self, connection: HTTPConnection, message: str, body: bytes, until: float) -> int:
        """Return the status that answers a message; no byte of the answer's body is read."""
        sent = headers(self._secrets, message, int(self._clock()), body)
        fields = {**sent, "content-type": "application/json", "user-agent": AGENT, "host": self._parts.netloc}
        assert connection.sock is not None
        connection.sock.settimeout(_left(until))
        # A timeout of the socket is for each read, and an answer may come byte by byte.
        alarm = threading.Timer(_left(until), _hang_up, [connection.sock])
        alarm.start()
        try:
            connection.request("POST", self._target, body, fields, preload_content=False)
            return connection.getresponse().status
        except FAILURES as error:
            if time.monotonic() >= until:
                raise _too_late() from error
            raise NotDelivered(type(error).__name__) from error
        finally:
            alarm.cancel()


def _left(until: float) -> float:
    """Return the seconds until a time on the monotonic clock; raise NotDelivered where none are left."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise _too_late()
    return seconds


def _too_late() -> NotDelivered:
    return NotDelivered(f"not answered within {ATTEMPT_SECONDS:g} s")


def _hang_up(connected: socket.socket) -> None:
    """Wake whoever reads from a socket."""
    with suppress(OSError):  # it is closed
        connected.shutdown(socket.SHUT_RDWR)
