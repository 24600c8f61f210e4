"""A request as the gateway works with it, whether it came over ASGI or WSGI."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from serving.gateway.access.proxies import Network, client_address, network_of
from serving.gateway.access.roles import Role

WSGI_NAMES = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
LONGEST = 1000  # characters of a field that costs time to parse
SHOWN = 100  # characters in an error of a text that the client chose
COSTLY = (
    "HTTP_ACCEPT", "HTTP_ACCEPT_CHARSET", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_CACHE_CONTROL",
    "HTTP_COOKIE", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE", "HTTP_RANGE",
)  # fmt: skip


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
        """Return the content type without its parameters, in lower case, cut to SHOWN characters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()[:SHOWN]

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


def forget_long_fields(environ: MutableMapping[str, Any]) -> None:
    """Remove from a WSGI environment the fields that Werkzeug parses and that are longer than LONGEST.

    A client may repeat a field up to the limit of a head, and parsing that would take seconds. Each may be absent.
    """
    for name in COSTLY:
        if len(environ.get(name, "")) > LONGEST:
            del environ[name]


def _client(peer: str, headers: Mapping[str, str], trusted: tuple[Network, ...]) -> str:
    return client_address(peer, headers.get("x-forwarded-for", ""), trusted)
