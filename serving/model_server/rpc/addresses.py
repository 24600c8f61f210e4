"""The addresses of the gRPC API."""

import logging
import socket

from serving.model_server.configuration.settings import ConfigError, Settings

_log = logging.getLogger(__name__)


def grpc_addresses(settings: Settings) -> list[str]:
    """Return the port and the Unix socket to listen on, the socket only when no other server answers there.

    gRPC would take the socket away from the other server, which then removes its file for both when it ends.
    """
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    addresses = [f"{host}:{settings.port}"] if settings.port else []
    if not settings.grpc_socket_path:
        return addresses
    address = f"unix:{settings.grpc_socket_path}"
    if not _is_answered(settings.grpc_socket_path):
        return [*addresses, address]
    if not addresses:
        raise ConfigError(f"Cannot listen on {address}: another server answers there; give a path of its own.")
    _log.warning("Not listening on %s: another server answers there; give a path of its own.", address)
    return addresses


def _is_answered(path: str) -> bool:
    """Say whether a server listens on the Unix socket `path`; one that was killed leaves the mere file."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
