"""gunicorn's worker class: uvicorn's, with the gateway's limits."""

import logging
import socket
import sys
from typing import Any

from uvicorn_worker import UvicornWorker

from serving.gateway.server.asgi import Application
from serving.gateway.server.limits import Limits
from serving.gateway.server.protocol import limited

SWITCH_SECONDS = 0.0005  # a thread that computes lets the event loop run after this time, not after Python's 5 ms
BACKLOG = 2048  # connections that wait for a worker
GRACE_SECONDS = 30  # for requests under way at the end


class Worker(UvicornWorker):
    """A process that serves `asgi.Application`."""

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "interface": "asgi3",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }

    wsgi: Application
    sockets: list[Any]

    def load_wsgi(self) -> None:
        """Load the application and its limits."""
        sys.setswitchinterval(SWITCH_SECONDS)
        super().load_wsgi()
        self.config.http = limited(Limits.of(self.wsgi.services.settings))
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # the application logs refused requests itself

    def run(self) -> None:
        """Serve on the sockets that all workers share, and on some of this worker's own.

        The kernel spreads connections evenly over the latter; of a shared one, the worker that wakes first takes most.
        """
        self.sockets = [*self.sockets, *(_own(each) for each in self.sockets if each.family != socket.AF_UNIX)]
        super().run()


def _own(shared: socket.socket) -> socket.socket:
    """Return another listening socket at the address of `shared`, which has SO_REUSEPORT set."""
    own = socket.socket(shared.family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(shared.getsockname())
    own.listen(BACKLOG)
    return own
