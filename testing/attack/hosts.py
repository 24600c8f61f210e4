"""Requests by a name that is not ours, as a page whose name changed its address sends, and other origins'."""

import json

from testing.attack.attackers import Attackers
from testing.attack.seen import Seen
from testing.attack.wire import JSON, ask
from testing.machine import ROOT
from testing.running_gateway import Gateway

ADDRESS = "127.0.7.1"
FOREIGN = ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:80", "203.0.113.7")
OWN = ("localhost", "127.0.0.1", "[::1]", "localhost:8080")
ORIGINS = ("http://evil.example", "https://evil.example:8443", "null")
MISDIRECTED, FORBIDDEN = 421, 403
OTHER_PATHS = (("get", "/"), ("get", "/docs"), ("get", "/openapi.json"), ("get", "/study"), ("get", "/none"))


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Try every path of the API's description with foreign hosts and origins."""
    del attackers, seconds
    seen = Seen()
    for method, path in [*described(), *OTHER_PATHS]:
        for host in FOREIGN:
            _expect(seen, gateway.port, method, path, {"Host": host}, MISDIRECTED)
        if method == "post":
            for origin in ORIGINS:
                _expect(seen, gateway.port, method, path, {"Origin": origin}, FORBIDDEN)
    forwarded = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    _expect(seen, gateway.port, "get", "/variants", forwarded, MISDIRECTED)
    for host in OWN:
        _expect(seen, gateway.port, "get", "/healthz", {"Host": host}, 200)
    own = ask(gateway.port, "POST", "/predict", b"{}", {"Content-Type": JSON, "Origin": gateway.url}, address=ADDRESS)
    seen.expect(own.status != FORBIDDEN, "POST /predict from the gateway's own page: 403")
    return seen


def described() -> list[tuple[str, str]]:
    """Return method and path of every call of the API's description, with made-up names."""
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    return [(method, path.replace("{", "").replace("}", "")) for path, calls in paths.items() for method in calls]


def _expect(seen: Seen, port: int, method: str, path: str, headers: dict[str, str], status: int) -> None:
    body = b"{}" if method == "post" else None
    kind = {"Content-Type": JSON} if body else {}
    reply = ask(port, method.upper(), path, body, {**kind, **headers}, address=ADDRESS)
    seen.expect_status(reply.status, [status], f"{method.upper()} {path}, {headers}")
