"""This machine: where the repository lies, and which ports are free."""

import socket
from pathlib import Path

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
