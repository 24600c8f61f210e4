"""Reserve changes that concern everybody for administrators."""

import hmac
from typing import Any

from pydantic import SecretStr

from serving.gateway.access.admission import bearer
from serving.gateway.errors import Unauthorized
from serving.gateway.web.context import gateway, incoming

SCHEMES: dict[str, Any] = {
    "admin": {"type": "http", "scheme": "bearer", "description": "GATEWAY_ADMIN_TOKEN"},
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of GATEWAY_API_KEYS, if there are any; for labels, one of scope label",
    },
}
SECURITY: list[dict[str, list[Any]]] = [{"admin": []}]
OF_CLIENTS: list[dict[str, list[Any]]] = [{}, {"key": []}]
OF_LABELLERS: list[dict[str, list[Any]]] = [{}, {"admin": []}, {"key": []}]


def require_admin() -> None:
    """Raise Unauthorized unless the request bears the administrators' token."""
    token = gateway().settings.admin_token
    if not token:
        raise Unauthorized("Nobody may do this: the gateway has no GATEWAY_ADMIN_TOKEN. Set it and restart.")
    if not is_admin(bearer(incoming()), token):
        raise Unauthorized("Send the header 'Authorization: Bearer TOKEN' with the gateway's GATEWAY_ADMIN_TOKEN.")


def is_admin(given: str, token: SecretStr) -> bool:
    """Say whether `given` is the administrators' token; nothing is while there is none."""
    return bool(token) and hmac.compare_digest(given.encode(), token.get_secret_value().encode())
