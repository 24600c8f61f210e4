"""gunicorn's worker class: uvicorn's, with the gateway's limits."""

import logging
import sys
from typing import Any

from uvicorn_worker import UvicornWorker

from serving.gateway.server.asgi import Application
from serving.gateway.server.protocol import Limits, limited

SWITCH_SECONDS = 0.0005  # a thread that computes lets the event loop run after this time, not after Python's 5 ms
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

    def load_wsgi(self) -> None:
        """Load the application and its limits."""
        sys.setswitchinterval(SWITCH_SECONDS)
        super().load_wsgi()
        self.config.http = limited(Limits.of(self.wsgi.services.settings))
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # the application logs refused requests itself
