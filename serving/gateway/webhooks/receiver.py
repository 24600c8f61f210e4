"""Send one message to the receiver of webhooks, at an address that was checked."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from serving.gateway.access.proxies import Network
from serving.gateway.webhooks.addresses import RefusedAddress, resolve
from serving.gateway.webhooks.notifier import NotDelivered
from serving.gateway.webhooks.signature import headers

logger = logging.getLogger(__name__)

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 10.0
MOST_ADDRESSES = 3  # of a host that has several
AGENT = "dropserve-webhooks"


class Receiver:
    """The receiver at a URL, of which a checked address is asked each time."""

    def __init__(
        self,
        url: str,
        secrets: list[bytes],
        allowed: tuple[Network, ...] = (),
        *,
        trust: str | bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to sign with each of `secrets`; `trust` is a file of certificates instead of the usual ones."""
        self._url, self._parts = url, urlsplit(url)
        self._secrets, self._allowed, self._trust, self._clock = secrets, allowed, trust, clock

    def deliver(self, message: str, body: bytes) -> None:
        """Send a message; raise NotDelivered unless it was answered by 2xx."""
        try:
            addresses = resolve(self._parts, self._allowed)[:MOST_ADDRESSES]
        except RefusedAddress as error:
            logger.warning("webhooks: %s", error)  # readers of events need not know this network
            raise NotDelivered("its host has no address that may be called; the log says why") from error
        self._send(addresses, message, body)

    def _send(self, addresses: Sequence[str], message: str, body: bytes) -> None:
        """Post to the first address that takes a connection."""
        failure: requests.RequestException | None = None
        for address in addresses:
            try:
                return self._post(address, message, body)
            except requests.ConnectionError as error:
                failure = error
            except requests.RequestException as error:
                raise NotDelivered(type(error).__name__) from error
        raise NotDelivered(type(failure).__name__) from failure

    def _post(self, address: str, message: str, body: bytes) -> None:
        # No proxy and no password of this machine's environment: they would lead elsewhere than was checked.
        with requests.Session() as session:
            session.trust_env = False
            session.mount(f"{self._parts.scheme}://", _Pinned(address))
            sent = headers(self._secrets, message, int(self._clock()), body)
            fields = {**sent, "content-type": "application/json", "user-agent": AGENT, "host": self._parts.netloc}
            # Only the status counts, so no byte of the answer's body is read.
            answer = session.post(
                self._url, data=body, headers=fields, timeout=(CONNECT_SECONDS, ANSWER_SECONDS), verify=self._trust,
                allow_redirects=False, stream=True,
            )  # fmt: skip
            with closing(answer):
                if not 200 <= answer.status_code < 300:
                    raise NotDelivered(f"answered {answer.status_code}")


class _Pinned(HTTPAdapter):
    """Connects to one address, whatever the host's name leads to by now; TLS still asks for that name."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> Any:
        """Return the connection's parameters, as requests asks subclasses to."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        names = ("server_hostname", "assert_hostname") if host["scheme"] == "https" else ()
        return {**host, "host": self._address}, {**pool, **dict.fromkeys(names, host["host"])}
