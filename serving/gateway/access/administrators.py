"""Let only administrators do what changes things for everybody."""

import hmac
from typing import Any

from serving.gateway.access.admission import bearer
from serving.gateway.errors import Unauthorized
from serving.gateway.web.context import gateway, incoming

SCHEMES: dict[str, Any] = {
    "admin": {"type": "http", "scheme": "bearer", "description": "GATEWAY_ADMIN_TOKEN"},
    "key": {"type": "http", "scheme": "bearer", "description": "One of GATEWAY_API_KEYS, where there are any"},
}
SECURITY: list[dict[str, list[Any]]] = [{"admin": []}]
OF_CLIENTS: list[dict[str, list[Any]]] = [{}, {"key": []}]


def require_admin() -> None:
    """Raise Unauthorized unless the request bears the administrators' token."""
    token = gateway().settings.admin_token.get_secret_value()
    if not token:
        raise Unauthorized("This gateway has no GATEWAY_ADMIN_TOKEN, so nobody may do this; set it and start again.")
    if not hmac.compare_digest(bearer(incoming()).encode(), token.encode()):
        raise Unauthorized("Send the header 'Authorization: Bearer TOKEN' with the gateway's GATEWAY_ADMIN_TOKEN.")
