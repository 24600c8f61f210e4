"""This machine: where the repository lies, and which ports are free or listened on."""

import random
import socket
from pathlib import Path

ROOT = Path(__file__).parent.parent
PORTS = range(18_000, 32_768)  # below those that Linux gives to outgoing connections


def free_port() -> int:
    """Reserve a TCP port of 127.0.0.1 on which nothing listens, for the life of this process.

    A UDP socket on the same number holds the reservation. No other process that asks here gets the port meanwhile.
    """
    while True:
        port = random.choice(PORTS)
        with socket.socket(type=socket.SOCK_DGRAM) as reservation:
            try:
                reservation.bind(("127.0.0.1", port))
                socket.create_server(("127.0.0.1", port)).close()
            except OSError:
                continue
            reservation.detach()
        return port


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Say whether a TCP port takes connections."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((address, port)) == 0
