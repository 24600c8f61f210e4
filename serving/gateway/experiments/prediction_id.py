"""Predictions' ids: signed, and saying all that feedback needs to know, so that nothing has to be looked up.

A label may come before the exposure has been written, to a worker that has never seen the prediction.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

import orjson

MAC_BYTES = 12
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


def sign(secret: bytes, prediction: PredictionRef) -> str:
    """Return the id of `prediction`."""
    payload = orjson.dumps([*prediction[:4], *(prediction.exposed or ())])
    return base64.urlsafe_b64encode(_mac(secret, payload) + payload).rstrip(b"=").decode()


def read(secret: bytes, text: str) -> PredictionRef | None:
    """Return what an id says, None if it was not signed with `secret`."""
    if len(text) > LONGEST:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, payload = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(secret, payload)):
        return None
    key, label, variant, version, *exposed = orjson.loads(payload)
    return PredictionRef(key, label, variant, version, Exposed(*exposed) if exposed else None)


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=MAC_BYTES, key=secret).digest()
