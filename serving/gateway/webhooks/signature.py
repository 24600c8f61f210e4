"""Sign messages as Standard Webhooks 1.0 asks: HMAC-SHA256 over id, time and body (standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from pydantic import SecretStr

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of a secret
MOST_SECRETS = 3


class BadSecret(ValueError):
    """Text that holds no secrets; its own text does not show it."""


def check_secrets(text: object) -> object:
    """Return text that holds no secret, or some, with spaces between; raise BadSecret."""
    if isinstance(text, str):
        secrets_of(SecretStr(text))
    return text


def secrets_of(text: SecretStr) -> list[bytes]:
    """Return the secrets, each of which signs: while one is replaced by another, receivers know one of them."""
    found = [_decoded(each) for each in text.get_secret_value().split()]
    if len(found) > MOST_SECRETS:
        raise BadSecret
    return found


def headers(secrets: list[bytes], message: str, seconds: int, body: bytes) -> Mapping[str, str]:
    """Return the headers of a message that is sent now, at `seconds` since 1970."""
    signed = f"{message}.{seconds}.".encode() + body
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {"webhook-id": message, "webhook-timestamp": str(seconds), "webhook-signature": signatures}


def _decoded(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSecret from error
    if not text.startswith(PREFIX) or not SHORTEST <= len(secret) <= LONGEST:
        raise BadSecret
    return secret
