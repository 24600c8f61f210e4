"""Name the decisions about access that the settings leave open."""

from collections.abc import Iterator

from serving.gateway.access.api_keys import Scope, scopes
from serving.gateway.access.callers import SHORTEST_TOKEN, long_enough
from serving.gateway.access.hosts import host_of, is_loopback
from serving.gateway.access.roles import Role, closed_roles, remedy
from serving.gateway.settings import Settings


def advice(settings: Settings) -> list[str]:
    """Return a line for each decision that somebody should take, with its remedy; log them once a start."""
    return [*_on_hosts(settings), *_on_keys(settings), *_on_token(settings)]


def _on_hosts(settings: Settings) -> Iterator[str]:
    if is_loopback(host_of(settings.host)):
        return
    if not settings.hosts:
        yield (
            f"GATEWAY_HOST={settings.host} lets other machines in, but requests by other names than localhost get 421: "
            "name the hosts that clients call in GATEWAY_HOSTS."
        )
    if Role.CLIENT not in closed_roles(settings.api_keys):
        yield (
            f"GATEWAY_HOST={settings.host} lets other machines predict and label without a key: set "
            "GATEWAY_API_KEYS to entries that 'make api-key' makes."
        )


def _on_keys(settings: Settings) -> Iterator[str]:
    there = scopes(settings.api_keys)
    if Role.READER in closed_roles(settings.api_keys) and Scope.READ not in there:
        yield (
            "GATEWAY_API_KEYS closes experiments, reports, the label queue and labels to all but administrators and "
            f"labellers: {remedy(Scope.READ)} makes a key for readers."
        )


def _on_token(settings: Settings) -> Iterator[str]:
    if settings.admin_token.get_secret_value() and not long_enough(settings.admin_token):
        yield (
            f"GATEWAY_ADMIN_TOKEN is shorter than {SHORTEST_TOKEN} characters and opens nothing; a random token is "
            "printed instead: set a longer one, such as 'openssl rand -hex 16' prints."
        )
