"""Check the keys of clients and of labellers."""

import hashlib
import hmac
import re
from collections.abc import Collection
from enum import StrEnum

DIGEST = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """The calls that a key opens; those of LABEL include those of PREDICT."""

    PREDICT = "predict"
    LABEL = "label"


class UnknownScope(ValueError):
    """An entry for another scope; the text names it and those there are."""


def read_keys(text: str) -> dict[str, Scope]:
    """Read entries `DIGEST` or `SCOPE:DIGEST`, separated by commas; return the scope of each digest.

    A digest is a SHA-256 of 64 hexadecimal digits; alone it has the scope `predict`, and of several the widest counts.
    Raise UnknownScope for another scope, ValueError for other text.
    """
    found: dict[str, Scope] = {}
    for each in text.split(",") if text else ():
        name, _, given = each.strip().lower().rpartition(":")
        scope = _scope(name) if name else Scope.PREDICT
        if not DIGEST.fullmatch(given):
            raise ValueError(text)
        if found.get(given) is not Scope.LABEL:
            found[given] = scope
    return found


def entry(key: str, scope: Scope) -> str:
    """Return the text by which `read_keys` knows `key`."""
    return digest(key) if scope is Scope.PREDICT else f"{scope}:{digest(key)}"


def digest(key: str) -> str:
    """Return the digest of a key. A random, long key needs neither salt nor a slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def accepted(key: str, known: Collection[str]) -> str | None:
    """Return the digest of `key` if it is one of `known`; the time taken does not tell which."""
    given = digest(key)
    found = sum(hmac.compare_digest(given, each) for each in known)
    return given if found else None


def _scope(name: str) -> Scope:
    try:
        return Scope(name)
    except ValueError:
        raise UnknownScope(f"there is no scope {name!r}; there are {', '.join(Scope)}") from None
