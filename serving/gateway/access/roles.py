"""Say who may call which endpoint, and which keys open it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum, auto
from typing import Any

from serving.gateway.access.api_keys import Keys, Scope, scopes
from serving.gateway.errors import Forbidden, GatewayError, Unauthorized


class Role(StrEnum):
    """The roles that endpoints ask for; LABELLER is for labels of sources that decide, too."""

    ANYONE = auto()
    CLIENT = auto()
    READER = auto()
    LABELLER = auto()
    MONITOR = auto()
    ADMINISTRATOR = auto()


# By Flask's endpoint. An endpoint that is missing here is the administrators'.
ROLES: Mapping[str, Role] = {
    "static": Role.ANYONE,
    "swagger.static": Role.ANYONE,
    "page.index": Role.ANYONE,
    "study.report": Role.ANYONE,
    "documentation.docs": Role.ANYONE,
    "documentation.openapi": Role.ANYONE,
    "health.healthz": Role.ANYONE,
    "health.readyz": Role.ANYONE,
    "variants.variants": Role.ANYONE,
    "open_inference.server": Role.ANYONE,
    "open_inference.live": Role.ANYONE,
    "open_inference.ready": Role.ANYONE,
    "open_inference.model": Role.ANYONE,
    "open_inference.model_version": Role.ANYONE,
    "open_inference.model_ready": Role.ANYONE,
    "open_inference.model_version_ready": Role.ANYONE,
    "predict.predict": Role.CLIENT,
    "compare.compare": Role.CLIENT,
    "flags.one": Role.CLIENT,
    "flags.every": Role.CLIENT,
    "open_inference.infer": Role.CLIENT,
    "open_inference.infer_version": Role.CLIENT,
    "feedback.feedback": Role.CLIENT,
    "feedback.labels": Role.READER,
    "exposures.report": Role.LABELLER,
    "experiments.every": Role.READER,
    "experiments.show": Role.READER,
    "reports.report": Role.READER,
    "reports.breakdown": Role.READER,
    "reports.disagreements": Role.READER,
    "promotions.every": Role.READER,
    "events.every": Role.READER,
    "learning.summary": Role.READER,
    "health.metrics": Role.MONITOR,
    "experiments.create": Role.ADMINISTRATOR,
    "planning.plan": Role.ADMINISTRATOR,
    "experiments.reweight": Role.ADMINISTRATOR,
    "experiments.start": Role.ADMINISTRATOR,
    "experiments.pause": Role.ADMINISTRATOR,
    "experiments.resume": Role.ADMINISTRATOR,
    "experiments.stop": Role.ADMINISTRATOR,
    "experiments.archive": Role.ADMINISTRATOR,
    "promotions.promote": Role.ADMINISTRATOR,
    "promotions.rollback": Role.ADMINISTRATOR,
    "learning.forget": Role.ADMINISTRATOR,
}

OPENS: Mapping[Scope, frozenset[Role]] = {
    Scope.PREDICT: frozenset({Role.CLIENT}),
    Scope.READ: frozenset({Role.READER}),
    Scope.LABEL: frozenset({Role.CLIENT, Role.READER, Role.LABELLER}),
    Scope.METRICS: frozenset({Role.MONITOR}),
    Scope.ADMIN: frozenset(Role),
}

# A role is closed where there is a key of one of these scopes; those of ALWAYS are closed in any case.
CLOSED_BY: Mapping[Role, frozenset[Scope]] = {
    Role.CLIENT: frozenset({Scope.PREDICT}),
    Role.READER: frozenset({Scope.PREDICT, Scope.READ, Scope.LABEL}),
    Role.MONITOR: frozenset({Scope.METRICS}),
}
ALWAYS = frozenset({Role.LABELLER, Role.ADMINISTRATOR})

SCHEMES: dict[str, Any] = {
    "admin": {"type": "http", "scheme": "bearer", "description": "GATEWAY_ADMIN_TOKEN"},
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of GATEWAY_API_KEYS, of the scope that each call names; none where there are no keys",
    },
}


def role_of(endpoint: str) -> Role:
    """Return the role that an endpoint of Flask asks for; there is nothing to protect at a path without one."""
    return ROLES.get(endpoint, Role.ADMINISTRATOR) if endpoint else Role.ANYONE


def closed_roles(keys: Keys) -> frozenset[Role]:
    """Return the roles that need a key, where there are these keys."""
    there = scopes(keys)
    return ALWAYS | {role for role, closing in CLOSED_BY.items() if closing & there}


def refusal(role: Role, *, known: bool) -> GatewayError:
    """Return the error for a caller who has not `role`; `known` says whether it has sent a valid key."""
    if known:
        return Forbidden(f"This key may not do this. Send {_opening(role)}")
    return Unauthorized(f"Send the header 'Authorization: Bearer KEY' with {_opening(role)}")


def remedy(scope: Scope) -> str:
    """Return the command that makes a key of a scope."""
    return f"'make api-key ARGS=\"--scope {scope}\"'"


def security(endpoint: str) -> list[dict[str, list[str]]] | None:
    """Return the security of an endpoint for the OpenAPI document, None where anyone may call it."""
    role = role_of(endpoint)
    return list(_security(role)) if role is not Role.ANYONE else None


def _security(role: Role) -> Iterator[dict[str, list[str]]]:
    if role not in ALWAYS:
        yield {}
    yield {"admin": []}
    yield from ({"key": [str(scope)]} for scope in Scope if role in OPENS[scope])


def _opening(role: Role) -> str:
    scope = min((each for each in Scope if role in OPENS[each]), key=lambda each: len(OPENS[each]))
    token = "GATEWAY_ADMIN_TOKEN, or " if role is Role.ADMINISTRATOR else ""
    return f"{token}a key of scope {scope}: {remedy(scope)} makes one."
