"""Read and make the keys of clients, readers, labellers, monitoring and administrators."""

import hashlib
import re
from enum import StrEnum

DIGEST = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """The kinds of keys; `roles.OPENS` says what each opens."""

    PREDICT = "predict"
    READ = "read"
    LABEL = "label"
    METRICS = "metrics"
    ADMIN = "admin"


Keys = dict[str, frozenset[Scope]]  # the scopes of each digest


class UnknownScope(ValueError):
    """An entry for another scope; the text names it and those there are."""


def read_keys(text: str) -> Keys:
    """Read entries `DIGEST` or `SCOPE:DIGEST`, separated by commas; return the scopes of each digest.

    A digest is a SHA-256 of 64 hexadecimal digits; alone it has the scope `predict`. Scopes of several entries add up.
    Raise UnknownScope for another scope, ValueError for other text.
    """
    found: Keys = {}
    for each in text.split(",") if text else ():
        name, _, given = each.strip().lower().rpartition(":")
        scope = _scope(name) if name else Scope.PREDICT
        if not DIGEST.fullmatch(given):
            raise ValueError(text)
        found[given] = found.get(given, frozenset()) | {scope}
    return found


def scopes(keys: Keys) -> frozenset[Scope]:
    """Return the scopes of which there are keys."""
    return frozenset[Scope]().union(*keys.values())


def entry(key: str, scope: Scope) -> str:
    """Return the text by which `read_keys` knows `key`."""
    return digest(key) if scope is Scope.PREDICT else f"{scope}:{digest(key)}"


def digest(key: str) -> str:
    """Return the digest of a key. A random, long key needs neither salt nor a slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def _scope(name: str) -> Scope:
    try:
        return Scope(name)
    except ValueError:
        raise UnknownScope(f"there is no scope {name!r}; there are {', '.join(Scope)}") from None
