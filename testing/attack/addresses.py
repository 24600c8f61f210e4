"""Clients of IPv4 at a gateway that listens on [::]."""

from testing.attack.gateways import running
from testing.attack.seen import Seen
from testing.attack.wire import RAW, Reply, ask
from testing.running_gateway import Gateway

ONE, ANOTHER, PROXY = "127.0.8.1", "127.0.8.2", "127.0.8.9"
BURST = 3


def attack() -> Seen:
    """See that two clients do not share a rate, and that a proxy's clients do not."""
    seen = Seen()
    with running(host="[::]", workers=1, rate_limit=1, rate_burst=BURST, trusted_proxies=PROXY) as dual:
        first = [_predict(dual, ONE).status for _ in range(BURST + 1)]
        seen.expect(first == [200] * BURST + [429], f"one client's requests at a burst of {BURST}: {first}")
        another = _predict(dual, ANOTHER).status
        seen.expect(another == 200, f"another client, once the first has used up its rate: {another}")
        behind = [_predict(dual, PROXY, f"203.0.113.{last}").status for last in range(1, BURST + 3)]
        seen.expect(set(behind) == {200}, f"clients of a trusted proxy share a rate: {behind}")
        forged = [_predict(dual, ANOTHER, f"203.0.113.{last}").status for last in range(100, 100 + BURST + 1)]
        seen.expect(429 in forged, f"a client that names itself another escapes its rate: {forged}")
        for status in (*first, another, *behind, *forged):
            seen.statuses[status] += 1
    return seen


def _predict(gateway: Gateway, address: str, forwarded_for: str = "") -> Reply:
    headers = {"Content-Type": RAW, **({"X-Forwarded-For": forwarded_for} if forwarded_for else {})}
    return ask(gateway.port, "POST", "/predict", bytes(784), headers, address=address)
