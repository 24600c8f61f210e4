"""Predictions' ids: signed, and saying all that feedback needs to know, so that nothing has to be looked up.

A label may come before the exposure has been written, to a worker that has never seen the prediction.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

# What an id holds, each a multiple of 3 bytes, so that base64 may be done apart: its tag, the image's number in its
# request, the request's key; then what is said of it, as JSON.
TAG_BYTES, NUMBER_BYTES, KEY_BYTES = 12, 3, 12
HEAD_BYTES = TAG_BYTES + NUMBER_BYTES
TAG_CHARACTERS = TAG_BYTES // 3 * 4
TOGETHER = 256  # images whose tags one run of the hash function gives
OF_CLAIMS = 2 ** (8 * NUMBER_BYTES) - 1  # in place of a number, which is a multiple of TOGETHER there
LONGEST = 4000  # characters of an id; those that are made have about 80


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
    """Return an id for each prediction of one request, which have the keys `key.0`, `key.1` and so on.

    `key` is KEY_BYTES in hexadecimal, and that of no other request.
    """
    begin = bytes.fromhex(key)
    claims = {label: begin + orjson.dumps([label, variant, version, *(exposed or ())]) for label in set(labels)}
    hashes = {label: _claim_hash(secret, claim) for label, claim in claims.items()}
    rests = {label: base64.urlsafe_b64encode(claim).rstrip(b"=").decode() for label, claim in claims.items()}
    ids: list[str] = []
    for start in range(0, len(labels), TOGETHER):
        part = labels[start : start + TOGETHER]
        tags = _xor(_pads(secret, begin, start, len(part)), b"".join([hashes[label] for label in part]))
        text = base64.urlsafe_b64encode(tags).decode()
        places = range(0, len(text), TAG_CHARACTERS)
        ids += [
            text[at : at + TAG_CHARACTERS] + number + rests[label]
            for at, number, label in zip(places, _numbers(start), part, strict=False)
        ]
    return ids


def read(secret: bytes, text: str) -> PredictionRef | None:
    """Return what an id says, None if it was not signed with `secret`."""
    if len(text) > LONGEST:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    tag, number, claim = raw[:TAG_BYTES], int.from_bytes(raw[TAG_BYTES:HEAD_BYTES]), raw[HEAD_BYTES:]
    begin = claim[:KEY_BYTES]
    pad = _pads(secret, begin, number // TOGETHER * TOGETHER, number % TOGETHER + 1)[-TAG_BYTES:]
    if not hmac.compare_digest(tag, _xor(pad, _claim_hash(secret, claim))):
        return None
    label, variant, version, *exposed = orjson.loads(claim[KEY_BYTES:])
    return PredictionRef(f"{begin.hex()}.{number}", label, variant, version, Exposed(*exposed) if exposed else None)


# A tag is a claim's hash under the secret, the same for all images of a request with that label, and a pad of the
# image's own that is used once: the authentication of Wegman and Carter (1981), in which both come from SHAKE128 (FIPS
# 202) of a secret of fixed length before the rest. So one run of it does for many images, whatever their labels.


def _pads(secret: bytes, key: bytes, start: int, count: int) -> bytes:
    """Return what hides the hashes of images `start`, `start + 1` and so on of one request."""
    return hashlib.shake_128(secret + start.to_bytes(NUMBER_BYTES) + key).digest(TAG_BYTES * count)


def _claim_hash(secret: bytes, claim: bytes) -> bytes:
    return hashlib.shake_128(secret + OF_CLAIMS.to_bytes(NUMBER_BYTES) + claim).digest(TAG_BYTES)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))


@lru_cache(64)
def _numbers(start: int) -> list[str]:
    """Return the numbers of TOGETHER images in base64."""
    return [
        base64.urlsafe_b64encode(number.to_bytes(NUMBER_BYTES)).decode() for number in range(start, start + TOGETHER)
    ]
