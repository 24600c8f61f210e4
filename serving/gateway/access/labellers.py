"""Decide who may send which labels."""

from collections.abc import Collection

from serving.gateway.access.api_keys import Scope
from serving.gateway.access.roles import Role, remedy
from serving.gateway.errors import Forbidden, GatewayError, Unauthorized
from serving.gateway.store.sources import trusted
from serving.gateway.web.request import Request

REMEDY = f"GATEWAY_ADMIN_TOKEN, or with a key that {remedy(Scope.LABEL)} makes."


def refusals(sources: Collection[str], request: Request) -> dict[str, GatewayError]:
    """Return for those of `sources` whose labels the sender of `request` may not send the error that says why."""
    if Role.LABELLER in request.roles:
        return {}
    refuse = _forbidden if request.caller else _unauthorized
    return {source: refuse(source) for source in set(sources) if trusted(source)}


def _unauthorized(source: str) -> GatewayError:
    return Unauthorized(f"A label of source '{source}' needs the header 'Authorization: Bearer TOKEN' with {REMEDY}")


def _forbidden(source: str) -> GatewayError:
    return Forbidden(f"This key may not send labels of source '{source}'. Send them with {REMEDY}")
