"""Predictions' ids: signed, and saying all that feedback needs to know, so that nothing has to be looked up.

A label may come before the exposure has been written, to a worker that has never seen the prediction.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

import orjson

TAG_BYTES = 12
NUMBER_BYTES = 3  # with a tag a multiple of 3, so that base64 may be done apart from the rest
HEAD_BYTES = TAG_BYTES + NUMBER_BYTES
HEAD_CHARACTERS = HEAD_BYTES // 3 * 4
TOGETHER = 256  # images whose tags one run of the hash function gives
LONGEST = 4000  # characters of an id; those that are made have about 150


class Exposed(NamedTuple):
    """The part that a prediction plays in an experiment; `assigned` and `served` are arms."""

    experiment: int
    phase: int
    unit: int
    assigned: int
    served: int


class PredictionRef(NamedTuple):
    """What a prediction's id says: `key` is unique, `label` is what was predicted."""

    key: str
    label: str
    variant: str
    version: int
    exposed: Exposed | None


def sign(
    secret: bytes, key: str, labels: Sequence[str], variant: str, version: int, exposed: Exposed | None
) -> list[str]:
    """Return an id for each prediction of one request, which have the keys `key.0`, `key.1` and so on."""
    claims = {label: orjson.dumps([key, label, variant, version, *(exposed or ())]) for label in set(labels)}
    heads: list[bytes] = []
    for start in range(0, len(labels), TOGETHER):
        part = labels[start : start + TOGETHER]
        tags = {label: _tags(secret, claims[label], start, len(part)) for label in set(part)}
        heads += [
            tags[label][TAG_BYTES * at : TAG_BYTES * (at + 1)] + (start + at).to_bytes(NUMBER_BYTES)
            for at, label in enumerate(part)
        ]
    text = base64.urlsafe_b64encode(b"".join(heads)).decode()
    rests = {label: base64.urlsafe_b64encode(claim).rstrip(b"=").decode() for label, claim in claims.items()}
    return [
        text[at : at + HEAD_CHARACTERS] + rests[label]
        for at, label in zip(range(0, len(text), HEAD_CHARACTERS), labels, strict=True)
    ]


def read(secret: bytes, text: str) -> PredictionRef | None:
    """Return what an id says, None if it was not signed with `secret`."""
    if len(text) > LONGEST:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    tag, number, claim = raw[:TAG_BYTES], int.from_bytes(raw[TAG_BYTES:HEAD_BYTES]), raw[HEAD_BYTES:]
    start, at = number // TOGETHER * TOGETHER, number % TOGETHER
    if not hmac.compare_digest(tag, _tags(secret, claim, start, at + 1)[-TAG_BYTES:]):
        return None
    key, label, variant, version, *exposed = orjson.loads(claim)
    return PredictionRef(f"{key}.{number}", label, variant, version, Exposed(*exposed) if exposed else None)


def _tags(secret: bytes, claim: bytes, start: int, count: int) -> bytes:
    """Return what authenticates a claim about images `start`, `start + 1` and so on.

    SHAKE128 (FIPS 202) of a secret of fixed length before the rest is a MAC, and its output as long as is wanted.
    """
    return hashlib.shake_128(secret + start.to_bytes(NUMBER_BYTES) + claim).digest(TAG_BYTES * count)
