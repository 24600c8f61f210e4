"""Sign the ids of predictions; an id holds all that feedback needs, so nothing has to be looked up.

A label may arrive before its exposure is written, at a worker that never saw the prediction.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import NamedTuple

import orjson

# An id is base64 of: tag, number of the image in its request, hash of the image, key of the request, claim as JSON. The
# first three fill whole groups of base64, so a request encodes its claims once.
TAG_BYTES, NUMBER_BYTES, IMAGE_BYTES, KEY_BYTES = 12, 4, 8, 12
HEAD_BYTES = TAG_BYTES + NUMBER_BYTES + IMAGE_BYTES
HEAD_CHARACTERS = HEAD_BYTES // 3 * 4
PURPOSE, IMAGE = b"prediction id", b"image"  # keep the uses of one key apart
KEY = re.compile(r"[0-9a-f]{24}\.[0-9]{1,10}")  # of a prediction, in the store and in image sets
LONGEST = 4000  # characters of an id that is read; those made here have about 80


class Exposed(NamedTuple):
    """The part of a prediction in an experiment; `assigned` and `served` are arms.

    `at` is in whole seconds since 1970, 0 in ids made before ids held it. `client` is an index of `clients.KINDS`.
    """

    experiment: int
    phase: int
    unit: int
    assigned: int
    served: int
    at: int = 0
    client: int = 0


class PredictionRef(NamedTuple):
    """The content of an id: `key` is unique, `label` is the predicted class, `image` the hash of its pixels.

    The hash is 0 outside of experiments.
    """

    key: str
    label: str
    variant: str
    version: int
    exposed: Exposed | None
    image: int


def image_hash(secret: bytes, pixels: bytes) -> int:
    """Return a 64-bit hash of framed pixels, equal for equal ones, that nobody without `secret` can foresee."""
    digest = hashlib.blake2b(pixels, key=secret, digest_size=IMAGE_BYTES, person=IMAGE).digest()
    return int.from_bytes(digest, signed=True)


def sign(
    secret: bytes, key: str, labels: Sequence[str], variant: str, version: int, exposed: Exposed | None = None,
    images: Sequence[int] = (),
) -> list[str]:  # fmt: skip
    """Return an id for each prediction of one request; their keys are `key.0`, `key.1` and so on.

    `key` is KEY_BYTES in hexadecimal, of this request alone. `secret` has at most 64 bytes. `images` are the hashes of
    an exposure's images.
    """
    begin = bytes.fromhex(key)
    claims = {label: begin + orjson.dumps([label, variant, version, *(exposed or ())]) for label in set(labels)}
    keyed = {label: _keyed(secret, claim) for label, claim in claims.items()}
    tails = {label: base64.urlsafe_b64encode(claim).rstrip(b"=").decode() for label, claim in claims.items()}
    hashes = images or (0,) * len(labels)
    heads = b"".join(
        [
            _head(keyed[label], number.to_bytes(NUMBER_BYTES) + image.to_bytes(IMAGE_BYTES, signed=True))
            for number, (label, image) in enumerate(zip(labels, hashes, strict=True))
        ]
    )
    text = base64.urlsafe_b64encode(heads).decode()
    places = range(0, len(text), HEAD_CHARACTERS)
    return [text[at : at + HEAD_CHARACTERS] + tails[label] for at, label in zip(places, labels, strict=True)]


def read(secret: bytes, text: str) -> PredictionRef | None:
    """Return the content of an id, None unless it was signed with `secret`."""
    if len(text) > LONGEST:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    place, claim = raw[TAG_BYTES:HEAD_BYTES], raw[HEAD_BYTES:]
    if not hmac.compare_digest(raw[:HEAD_BYTES], _head(_keyed(secret, claim), place)):
        return None
    label, variant, version, *exposed = orjson.loads(claim[KEY_BYTES:])
    key = f"{claim[:KEY_BYTES].hex()}.{int.from_bytes(place[:NUMBER_BYTES])}"
    image = int.from_bytes(place[NUMBER_BYTES:], signed=True)
    return PredictionRef(key, label, variant, version, Exposed(*exposed) if exposed else None, image)


def _keyed(secret: bytes, claim: bytes) -> hashlib.blake2b:
    """Return keyed BLAKE2b (RFC 7693) of a claim, to which each image adds its place."""
    return hashlib.blake2b(claim, key=secret, digest_size=TAG_BYTES, person=PURPOSE)


def _head(keyed: hashlib.blake2b, place: bytes) -> bytes:
    """Return an image's tag, number and hash."""
    image = keyed.copy()
    image.update(place)
    return image.digest() + place
