"""Find a client's address behind proxies."""

import ipaddress
from functools import lru_cache

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
