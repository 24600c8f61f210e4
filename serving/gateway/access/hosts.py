"""Answer only requests to names that are ours: a web page may give its own name the gateway's address."""

import ipaddress
import re
from urllib.parse import urlsplit

EVERY = "*"
NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def read_hosts(text: str) -> frozenset[str]:
    """Read names and addresses separated by commas, or `*`; raise ValueError for others, such as ones with a port."""
    return frozenset(_read(each.strip().lower()) for each in text.split(",") if text)


def host_of(header: str) -> str:
    """Return the name or address in a Host header, in lower case, without port and brackets; empty if it has none."""
    try:
        return urlsplit(f"//{header.strip()}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Say whether `host` names this machine whoever asks."""
    try:
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(text: str) -> str:
    if text == EVERY or NAME.fullmatch(text):
        return text
    return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
