"""Keys that clients of /predict and /compare have to send."""

import hashlib
import hmac
import re

DIGEST = re.compile(r"[0-9a-f]{64}")


def digests(text: str) -> tuple[str, ...]:
    """Read SHA-256 digests, 64 hexadecimal digits each, separated by commas; raise ValueError for anything else."""
    given = tuple(each.strip().lower() for each in text.split(",") if text)
    if not all(map(DIGEST.fullmatch, given)):
        raise ValueError(text)
    return given


def digest(key: str) -> str:
    """Return the digest of a key. A key is random and long: neither salt nor slowness would add to it."""
    return hashlib.sha256(key.encode()).hexdigest()


def accepted(key: str, known: tuple[str, ...]) -> str | None:
    """Return the digest of `key` if it is one of `known`, in a time that does not depend on which."""
    given = digest(key)
    found = sum(hmac.compare_digest(given, each) for each in known)
    return given if found else None
