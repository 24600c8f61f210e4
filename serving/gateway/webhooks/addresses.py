"""Refuse addresses to which a webhook must not lead: this machine, its links, and metadata services of clouds."""

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from serving.gateway.access.proxies import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = {"http": 80, "https": 443}
# Services that give whoever asks the machine's credentials, and are not link-local: AWS, Alibaba, Oracle, Azure.
METADATA = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd20:ce::254"))
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: IPv4 addresses behind a translator


class RefusedAddress(ValueError):
    """An address that a webhook must not lead to; the text says which, and why."""


def check_url(url: str, allowed: tuple[Network, ...]) -> str:
    """Return an URL that a webhook may lead to, as far as its text says; raise RefusedAddress for another."""
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError as error:
        raise RefusedAddress(f"its address cannot be read: {error}") from error
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise RefusedAddress("it needs http:// or https://, a host, and a port from 1 to 65535, if any")
    if parts.username is not None or parts.password is not None:
        raise RefusedAddress("it holds a user or password: the signature proves the sender")
    if not parts.hostname.isascii():
        raise RefusedAddress("write its host in ASCII, as DNS has it: xn--…")
    _numeric(parts.hostname, allowed)
    return url


def resolve(parts: SplitResult, allowed: tuple[Network, ...]) -> list[str]:
    """Return the addresses of a URL's host now; raise RefusedAddress if it has one that is refused, or none."""
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedAddress(f"host {host!r} is unknown") from error
    addresses = [str(info[4][0]) for info in found]
    for address in addresses:
        _check(host, address, allowed)
    return list(dict.fromkeys(addresses))


def port_of(parts: SplitResult) -> int:
    """Return the port of a URL."""
    return parts.port or PORTS[parts.scheme]


def _numeric(host: str, allowed: tuple[Network, ...]) -> None:
    """Check a host that is an address in any of its spellings, such as 127.1, without asking for names."""
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        _check(host, "127.0.0.1", allowed)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return  # a name, which is checked each time it is resolved
    for info in found:
        _check(host, str(info[4][0]), allowed)


def _check(host: str, text: str, allowed: tuple[Network, ...]) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])  # the zone of a link-local address
    for each in list(_embedded(address)) or [address]:
        if any(each in network for network in allowed):
            continue
        if kind := _refused(each):
            raise RefusedAddress(
                f"host {host!r} has the address {text}, which is {kind}: name its network in GATEWAY_WEBHOOK_ALLOW if "
                "that is meant"
            )


def _embedded(address: Address) -> Iterator[Address]:
    """Give the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            yield inner
        elif address in NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _refused(address: Address) -> str | None:
    """Return the kind of an address that is refused; those of private networks are not."""
    kinds = {
        "a loopback address": address.is_loopback,
        "link-local": address.is_link_local,
        "a metadata service": address in METADATA,
        "a multicast address": address.is_multicast,
        "unspecified": address.is_unspecified or (address.version == 4 and address in THIS_NETWORK),
        "reserved": address.is_reserved,
    }
    return next((kind for kind, holds in kinds.items() if holds), None)


THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")  # Linux takes all of it for this machine
