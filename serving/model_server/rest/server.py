"""The REST server: uvicorn, on an event loop in a thread of its own."""

import logging
import math
import socket
import threading

import uvicorn

from serving.model_server.rest.app import RestApp
from serving.model_server.rest.protocol import IDLE_SECONDS, limited_to

BACKLOG = 128  # connections that wait to be accepted
MAX_HEAD_BYTES = 1 << 16


class RestServer:
    """Serves an application at one address."""

    def __init__(self, address: tuple[str, int], app: RestApp, max_connections: int, shutdown_seconds: float) -> None:
        """Bind to `address`; raise `OSError` where that is taken.

        `stop` waits for requests under way for `shutdown_seconds` at most.
        """
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.create_server(address, family=family, backlog=BACKLOG)
        config = uvicorn.Config(
            app, loop="asyncio", http=limited_to(max_connections), ws="none", lifespan="off", interface="asgi3",
            h11_max_incomplete_event_size=MAX_HEAD_BYTES, timeout_keep_alive=IDLE_SECONDS, backlog=BACKLOG,
            timeout_graceful_shutdown=math.ceil(shutdown_seconds), proxy_headers=False, server_header=False,
            log_config=None, log_level=logging.ERROR, access_log=False,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True, name="rest")

    @property
    def port(self) -> int:
        """The TCP port that is bound."""
        return self._socket.getsockname()[1]

    def start(self) -> None:
        """Serve until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port, let requests under way finish, and end the thread."""
        self._server.should_exit = True
        self._thread.join()
