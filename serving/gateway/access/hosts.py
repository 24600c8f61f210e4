"""Answer only requests to names that are ours: a web page may give its own name the gateway's address."""

import ipaddress
import re
from functools import lru_cache

from serving.gateway.access.proxies import unmapped
from serving.gateway.errors import BadRequest, Misdirected
from serving.gateway.web.request import SHOWN, Request

EVERY = "*"
LONGEST = 270  # characters of a Host header: a name has at most 253, a port 6
CACHED = 1024  # decisions
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
HEADER = re.compile(
    rf"((?P<name>{NAME.pattern})\.?|\[(?P<ipv6>[0-9a-f:.]+)\])(:[0-9]{{1,5}})?", re.IGNORECASE | re.ASCII
)


class Hosts:
    """The names and addresses at which the gateway answers."""

    def __init__(self, allowed: frozenset[str], listening: str = "") -> None:
        """Answer at the `allowed` ones, or at all if `*` is one of them, beside those of this machine.

        `listening` is the host to listen on; it is answered at, too, unless it stands for all addresses.
        """
        host = host_of(bracketed(listening))
        self._allowed = allowed if not host or is_unspecified(host) else allowed | {host}
        self._is_ours = lru_cache(CACHED)(self._decide)

    def check(self, request: Request) -> None:
        """Raise Misdirected for a request to another host, BadRequest for one that names none, or several."""
        host = request.headers.get("host", "")
        if not host:
            if request.version != "1.0":
                raise BadRequest("The Host header is missing; send it with the host and port that you call.")
        elif "," in host:  # so are several fields joined; no host has one
            raise BadRequest("There is more than one Host header; send it once.")
        elif len(host) > LONGEST or not self._is_ours(host, request.server):
            raise Misdirected(
                f"The gateway does not answer at the host {host[:SHOWN]!r}. Name it in GATEWAY_HOSTS, and restart."
            )

    def _decide(self, header: str, server: str) -> bool:
        """Say whether a Host header names the gateway; a page cannot rebind an address, so `server` is ours, too."""
        host = host_of(header)
        if not host or EVERY in self._allowed:
            return bool(host)
        return is_loopback(host) or host in self._allowed or host == unmapped(server)


def read_hosts(text: str) -> frozenset[str]:
    """Read names and addresses separated by commas, or `*`; raise ValueError for others, such as ones with a port."""
    return frozenset(_read(each.strip().lower()) for each in text.split(",") if text)


def host_of(header: str) -> str:
    """Return the name or address in a Host header as `read_hosts` does, without its port; empty if it is no host."""
    found = HEADER.fullmatch(header)
    if not found:
        return ""
    if found["name"]:
        return found["name"].lower()
    try:
        return unmapped(str(ipaddress.IPv6Address(found["ipv6"])))
    except ValueError:
        return ""


def bracketed(host: str) -> str:
    """Return a host to listen on as URLs write it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_loopback(host: str) -> bool:
    """Say whether `host` names this machine whoever asks."""
    try:
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_unspecified(host: str) -> bool:
    """Say whether `host` stands for all addresses of a machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _read(text: str) -> str:
    if text == EVERY or NAME.fullmatch(text):
        return text
    return unmapped(str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))))
