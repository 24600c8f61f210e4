"""Know a caller by its key, or by the administrators' token."""

from typing import NamedTuple

from pydantic import SecretStr

from serving.gateway.access.api_keys import digest
from serving.gateway.access.roles import OPENS, Role
from serving.gateway.settings import Settings
from serving.gateway.web.request import Request

SHORTEST_TOKEN = 16  # characters; a shorter one could be guessed
ID_DIGITS = 12  # hexadecimal ones of a key's digest: they name the key in logs, and do not open anything
ADMIN = "admin"  # the id of the administrators' token


class Caller(NamedTuple):
    """The id of a key, and the roles that it opens; neither for an unknown one."""

    id: str
    roles: frozenset[Role]


NOBODY = Caller("", frozenset())


class Callers:
    """The keys, and the administrators' token, that open something."""

    def __init__(self, settings: Settings) -> None:
        """Read them from `settings`."""
        self._known = {
            key: Caller(key[:ID_DIGITS], frozenset[Role]().union(*(OPENS[scope] for scope in scopes)))
            for key, scopes in settings.api_keys.items()
        }
        if long_enough(settings.admin_token):
            self._known[digest(settings.admin_token.get_secret_value())] = Caller(ADMIN, frozenset(Role))
        self.administrators = any(Role.ADMINISTRATOR in caller.roles for caller in self._known.values())

    def find(self, token: str) -> Caller:
        """Return the caller that sends `token`, NOBODY for an unknown one.

        The time that a look-up takes tells nothing of a key: Python compares hashes of digests, with a secret seed.
        """
        return self._known.get(digest(token), NOBODY)


def long_enough(token: SecretStr) -> bool:
    """Say whether an administrators' token may open anything."""
    return len(token.get_secret_value()) >= SHORTEST_TOKEN


def bearer(request: Request) -> str:
    """Return the request's bearer token, an empty text if there is none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""
