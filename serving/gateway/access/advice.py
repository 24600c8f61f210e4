"""Name the decisions about access that the settings leave open."""

from collections.abc import Iterator

from serving.gateway.access.api_keys import Scope, scopes
from serving.gateway.access.callers import SHORTEST_TOKEN, long_enough
from serving.gateway.access.hosts import EVERY, bracketed, host_of, is_loopback
from serving.gateway.access.roles import Role, closed_roles, remedy
from serving.gateway.settings import Settings


def advice(settings: Settings) -> list[str]:
    """Return a line for each decision that somebody should take, with its remedy; log them once a start."""
    return [*_on_hosts(settings), *_on_keys(settings), *_on_token(settings)]


def _on_hosts(settings: Settings) -> Iterator[str]:
    if EVERY in settings.hosts:
        yield (
            "GATEWAY_HOSTS=* lets any web page reach the gateway by a name of its own: name the hosts that "
            "clients call."
        )
    if EVERY in settings.cors_origins:
        yield "GATEWAY_CORS_ORIGINS=* lets pages of any site call the API: name the origins that may."
    if not is_loopback(host_of(bracketed(settings.host))):
        opening, there = f"GATEWAY_HOST={settings.host}", "port"
    elif settings.trusted_proxies:
        opening, there = "GATEWAY_TRUSTED_PROXIES", "proxy"
    else:
        return
    reach = f"{opening} lets everybody who reaches the {there}"
    closed = closed_roles(settings.api_keys)
    if not settings.hosts:
        passing = ", and have the proxy pass the Host header on" if settings.trusted_proxies else ""
        yield (
            f"{opening} lets others in, but requests by other names than localhost and the gateway's own address "
            f"get 421: name the hosts that clients call in GATEWAY_HOSTS{passing}."
        )
    if Role.CLIENT not in closed:
        yield f"{reach} predict and label: set GATEWAY_API_KEYS to entries that 'make api-key' makes."
    if Role.MONITOR not in closed:
        yield f"{reach} read /metrics: {remedy(Scope.METRICS)} makes a key for monitoring."
    if not settings.rate_limit:
        yield f"{reach} send as many requests as it likes: set GATEWAY_RATE_LIMIT."


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
