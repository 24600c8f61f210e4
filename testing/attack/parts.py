"""The parts of `make attack` that try one weakness each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from testing.attack import (
    addresses,
    buffers,
    connections,
    decoding,
    files,
    hosts,
    keys,
    logins,
    model_server,
    reading,
    retention,
    structure,
    unread,
)
from testing.attack.attackers import Attackers
from testing.attack.gateways import KEY, KEYS
from testing.attack.seen import Seen
from testing.running_gateway import Gateway

Attack = Callable[[Gateway, Attackers, float], Seen]


@dataclass(frozen=True)
class Part:
    """An attack, the gateway's settings, and the steady client beside it; `after` starts servers of its own."""

    attack: Attack | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    key: str = ""
    seconds: float = 8.0
    clients: int = 2  # connections of the steady client; none: there is no such client
    after: Callable[[], Seen] = Seen


WITH_KEYS: dict[str, object] = {"api_keys": KEYS}

PARTS: Mapping[str, Part] = {
    "keys": Part(keys.attack, WITH_KEYS, KEY),
    "unread": Part(unread.attack, WITH_KEYS, KEY),
    "structure": Part(structure.attack, WITH_KEYS, KEY, seconds=15),
    "buffers": Part(buffers.attack, WITH_KEYS, KEY, seconds=10),
    "connections": Part(connections.attack, WITH_KEYS, KEY, seconds=15, clients=10),
    "decoding": Part(decoding.attack, WITH_KEYS, KEY, seconds=10, after=decoding.alone),
    "hosts": Part(hosts.attack),
    "addresses": Part(after=addresses.attack),
    "reading": Part(reading.attack, WITH_KEYS, KEY),
    "model_server": Part(after=model_server.attack),
    "retention": Part(retention.attack, {**WITH_KEYS, "max_labels": retention.MOST}, KEY),
    "logins": Part(logins.attack, WITH_KEYS, KEY, after=logins.short_token),
    "files": Part(files.attack, clients=0),
}
