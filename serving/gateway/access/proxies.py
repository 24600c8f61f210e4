"""Find a client's address behind proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks separated by commas; raise ValueError for anything else."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if text)


def client_address(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """Return the last address of the chain client, proxy, …, `peer` that is not of a `trusted` proxy.

    `forwarded_for` is X-Forwarded-For, to which each proxy has added who called it; what an untrusted one says, or what
    is no address, counts for nothing.
    """
    address = peer
    for caller in reversed(forwarded_for.split(",")):
        if not _within(address, trusted) or not _is_address(caller := caller.strip()):
            break
        address = caller
    return address


@lru_cache(maxsize=1024)
def _within(address: str, trusted: tuple[Network, ...]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def behind_proxies(application: WSGIApplication, trusted: tuple[Network, ...]) -> WSGIApplication:
    """Return a WSGI application that tells another the client's address as REMOTE_ADDR."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
        environ["REMOTE_ADDR"] = client_address(environ.get("REMOTE_ADDR", ""), forwarded_for, trusted)
        return application(environ, start_response)

    return answer
