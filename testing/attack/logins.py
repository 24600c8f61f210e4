"""A token of one letter, tokens that are tried, and a log that names nobody."""

import json

from testing.attack.attackers import Attackers
from testing.attack.gateways import DIGEST, KEY, TOKEN, folder_of, log_of, running
from testing.attack.seen import Seen
from testing.attack.wire import JSON, RAW, ask, bearer
from testing.running_gateway import Gateway
from testing.waiting import eventually

ADDRESS, OTHER = "127.0.12.1", "127.0.12.2"
TRIES = 60  # several times GATEWAY_FAILED_LOGINS of two workers
ID_DIGITS = 8  # of a key's digest that name it, at least
CALLS = (("POST", "/variants/rollback"), ("GET", "/experiments"), ("POST", "/feedback"), ("POST", "/experiments"))


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Try tokens; look for a key's id in the log."""
    del attackers, seconds
    seen = Seen()
    for number in range(TRIES):
        method, path = CALLS[number % len(CALLS)]
        headers = {"Content-Type": JSON, **bearer(f"tried-{number}")}
        reply = ask(gateway.port, method, path, b"{}" if method == "POST" else None, headers, address=ADDRESS)
        seen.expect_status(reply.status, {401, 429}, f"{method} {path} with a wrong token")
        if reply.status == 429:
            seen.expect("retry-after" in reply.headers, "429 for wrong tokens without Retry-After")
    seen.expect(seen.statuses[429] > 0, f"{TRIES} wrong tokens from one address: no 429")
    for address in (ADDRESS, OTHER):
        own = ask(gateway.port, "GET", "/variants/promotions", headers=bearer(TOKEN), address=address)
        seen.expect(own.status == 200, f"the administrator at {address}, meanwhile: {own.status}")
    ask(gateway.port, "POST", "/predict", bytes(784), {"Content-Type": RAW, **bearer(KEY)}, address=OTHER)
    try:
        eventually(lambda: _named(gateway), seconds=5)
    except AssertionError:
        seen.faults.append("the log does not name the key of a request by its id")
    return seen


def short_token() -> Seen:
    """See that the token `a` opens nothing."""
    seen = Seen()
    with running(admin_token="a", workers=1) as gateway:
        for path in ("/variants/rollback", "/experiments"):
            reply = ask(gateway.port, "POST", path, b"{}", {"Content-Type": JSON, **bearer("a")}, address=ADDRESS)
            seen.expect_status(reply.status, {401}, f"POST {path} with the token 'a', which is GATEWAY_ADMIN_TOKEN")
    return seen


def _named(gateway: Gateway) -> bool:
    """Say whether the log names the key, and that it does not hold the key itself."""
    text = log_of(folder_of(gateway)).read_text()
    assert KEY not in text
    ids = {json.loads(line).get("key") or "" for line in text.splitlines() if line.startswith("{")}
    return any(len(each) >= ID_DIGITS and DIGEST.startswith(each) for each in ids)
