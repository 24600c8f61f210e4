"""Find a client's address behind proxies, and the network that counts as one client."""

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # IPv4 addresses in IPv6 form: RFC 4291, section 2.5.5.2
MOST_PROXIES = 32  # in a chain
HOST_BITS = 64  # of an IPv6 address: one client has all addresses that differ in these


def networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks separated by commas; raise ValueError for other text."""
    return tuple(_unmapped_network(ipaddress.ip_network(each.strip())) for each in text.split(",") if text)


def client_address(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """Return the last address of the chain client, proxy, …, `peer` that is not of a `trusted` proxy.

    `forwarded_for` is X-Forwarded-For, to which each proxy adds its caller. Entries from untrusted callers, and text
    that is no address, do not count, nor those before the last MOST_PROXIES. IPv4 addresses in IPv6 form are returned
    as IPv4.
    """
    address = unmapped(peer)
    for caller in reversed(forwarded_for.rsplit(",", MOST_PROXIES)[-MOST_PROXIES:]):
        if not within(address, trusted) or not _is_address(caller := caller.strip()):
            break
        address = unmapped(caller)
    return address


@lru_cache(maxsize=1024)
def within(address: str, networks: tuple[Network, ...]) -> bool:
    """Say whether `address` belongs to one of `networks`."""
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)


@lru_cache(maxsize=1024)
def unmapped(address: str) -> str:
    """Return an IPv4 address that a socket on [::] gave in IPv6 form as IPv4, any other text as it is."""
    if not _is_address(address):  # a Unix socket has none
        return address
    parsed = ipaddress.ip_address(address)
    inner = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(inner) if inner else address


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return the text by which one client is known: an IPv4 address, or the upper 64 bits of an IPv6 address."""
    address = unmapped(address)
    if not _is_address(address):
        return address
    parsed = ipaddress.ip_address(address)
    return address if parsed.version == 4 else str(ipaddress.IPv6Address(int(parsed) >> HOST_BITS << HOST_BITS))


def _unmapped_network(network: Network) -> Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        host = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((host, network.prefixlen - MAPPED.prefixlen))
    return network


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
