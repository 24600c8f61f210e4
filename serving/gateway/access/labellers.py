"""Decide who may send which labels."""

from collections.abc import Collection

from serving.gateway.access.administrators import is_admin
from serving.gateway.access.admission import bearer
from serving.gateway.access.api_keys import Scope, accepted
from serving.gateway.errors import Forbidden, GatewayError, Unauthorized
from serving.gateway.settings import Settings
from serving.gateway.store.sources import trusted
from serving.gateway.web.request import Request

REMEDY = "GATEWAY_ADMIN_TOKEN, or with a key that 'make api-key ARGS=\"--scope label\"' makes."


def refusals(sources: Collection[str], request: Request, settings: Settings) -> dict[str, GatewayError]:
    """Return for those of `sources` whose labels the sender of `request` may not send the error that says why."""
    token = bearer(request)
    if is_admin(token, settings.admin_token):
        return {}
    key = accepted(token, settings.api_keys)
    if key and settings.api_keys[key] is Scope.LABEL:
        return {}
    return {source: _forbidden(source) if key else _unauthorized(source) for source in set(sources) if trusted(source)}


def _unauthorized(source: str) -> GatewayError:
    return Unauthorized(f"A label of source '{source}' needs the header 'Authorization: Bearer TOKEN' with {REMEDY}")


def _forbidden(source: str) -> GatewayError:
    return Forbidden(f"This key may not send labels of source '{source}'. Send them with {REMEDY}")
