"""A request as the gateway works with it, whether it came over ASGI or WSGI."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.gateway.access.proxies import Network, client_address, network_of
from serving.gateway.access.roles import Role

WSGI_NAMES = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


@dataclass(slots=True)
class Request:
    """One request; header names are in lower case, and repeated headers are joined by commas.

    `client` is the address of the client behind trusted proxies, empty for a Unix socket. `body` is whole, or empty
    until a view has read it. `server` is the local address of the connection, empty if unknown; `version` is HTTP's.
    Admission fills in `caller`, the id of a valid key or token, and the `roles` that it opens.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    client: str
    body: bytes = b""
    server: str = ""
    version: str = "1.1"
    caller: str = ""
    roles: frozenset[Role] = frozenset()

    @property
    def mimetype(self) -> str:
        """Return the content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def account(self) -> str:
        """Return the text by which limits know the client: its key, or else its network."""
        return self.caller or network_of(self.client)


def from_asgi(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> Request:
    """Return the request of an ASGI scope; its body is still to come."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    peer = scope["client"][0] if scope["client"] else ""
    query = scope["query_string"].decode("latin-1")
    server = scope["server"][0] if scope.get("server") else ""
    return Request(
        scope["method"], scope["path"], query, headers, _client(peer, headers, trusted), b"", server,
        scope["http_version"],
    )  # fmt: skip


def from_wsgi(environ: Mapping[str, Any], trusted: tuple[Network, ...]) -> Request:
    """Return the request of a WSGI environment; its body is still to be read."""
    headers = {
        WSGI_NAMES.get(name) or name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in WSGI_NAMES and value)
    }
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")  # WSGI hands UTF-8 over as Latin-1
    peer = environ.get("REMOTE_ADDR", "")
    return Request(
        environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, _client(peer, headers, trusted),
        version=environ.get("SERVER_PROTOCOL", "").removeprefix("HTTP/"),
    )  # fmt: skip


def _client(peer: str, headers: Mapping[str, str], trusted: tuple[Network, ...]) -> str:
    return client_address(peer, headers.get("x-forwarded-for", ""), trusted)
