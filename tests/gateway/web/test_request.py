from typing import Any

import pytest

from serving.gateway.access.proxies import networks
from serving.gateway.web.request import Request, from_asgi, from_wsgi

NOBODY = networks("")
SCOPE: dict[str, Any] = {
    "method": "GET", "path": "/", "query_string": b"a=b", "http_version": "1.0",
    "headers": [(b"host", b"a"), (b"host", b"b")],
    "client": ("::ffff:192.0.2.7", 1), "server": ("192.0.2.1", 8080),
}  # fmt: skip
ENVIRON = {
    "REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "a=b", "SERVER_PROTOCOL": "HTTP/1.0", "HTTP_HOST": "a,b",
    "REMOTE_ADDR": "::ffff:192.0.2.7", "SERVER_NAME": "192.0.2.1",
}  # fmt: skip


def test_a_request_is_the_same_over_asgi_and_wsgi() -> None:
    expected = Request("GET", "/", "a=b", {"host": "a,b"}, "192.0.2.7", version="1.0")
    assert from_wsgi(ENVIRON, NOBODY) == expected
    expected.server = "192.0.2.1"  # which a WSGI server need not tell
    assert from_asgi(SCOPE, NOBODY) == expected


@pytest.mark.parametrize("server", [None, ("/run/gateway.sock", None)])
def test_a_unix_socket_has_no_address(server: Any) -> None:
    request = from_asgi({**SCOPE, "client": None, "server": server}, NOBODY)
    assert (request.client, request.account) == ("", "")


def test_limits_know_a_client_by_its_key_or_its_network() -> None:
    request = Request("GET", "/", "", {}, "2001:db8::1:2:3:4")
    assert request.account == "2001:db8::"
    request.caller = "0123456789ab"
    assert request.account == "0123456789ab"
