"""gunicorn's gevent worker without its monkey patch: greenlets for connections and predictions, threads for others."""

import gc
import os
import socket
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any

import gevent
import gevent.event
import gevent.socket
from gevent import GreenletExit
from gunicorn.workers.ggevent import GeventWorker

from serving.gateway.errors import Unavailable
from serving.gateway.server.exchange import environ_of, read_body
from serving.gateway.server.greenlets import GreenletsWay
from serving.gateway.server.lanes import Lanes
from serving.gateway.server.listening import COUNTS, Listener
from serving.gateway.server.refusals import OF_BODIES, refuse
from serving.gateway.web.context import Gateway

SWITCH_SECONDS = 0.0005  # a thread that computes lets the greenlets' run after this long, not after Python's 5 ms
DECODERS = 2  # threads
NOTIFY_SECONDS = 1.0  # between signs of life, of which the parent wants one in `timeout`
NO_TIMER = nullcontext()


class SettledConfig:
    """gunicorn's configuration as it is now; that one searches for each setting, of which a request takes a dozen."""

    def __init__(self, config: Any) -> None:
        self._config = config
        vars(self).update({name: getattr(config, name) for name in config.settings})

    def __getattr__(self, name: str) -> Any:
        """Return what is no setting but follows from some."""
        return getattr(self._config, name)


class Worker(GeventWorker):
    """A worker in which every lock, thread, gRPC and database call is what it says; only its sockets are gevent's."""

    cfg: Any
    sockets: list[Any]
    wsgi: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Prepare as gunicorn does, in its parent process."""
        super().__init__(*arguments, **named)
        self.services: Gateway | None = None
        # Connections on which no request is being answered, and since when on the monotonic clock.
        self._idle: dict[gevent.socket.socket, float] = {}

    def patch(self) -> None:
        """Give the listening sockets to gevent, and nothing else."""
        self._stopping = gevent.event.Event()
        self.sockets = [
            gevent.socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach()) for each in self.sockets
        ]

    def load_wsgi(self) -> None:
        """Load the application, and let its predictions wait as greenlets do."""
        sys.setswitchinterval(SWITCH_SECONDS)
        super().load_wsgi()
        services: Gateway = self.wsgi.extensions["gateway"]
        services.waits.way = GreenletsWay(gevent.get_hub(), DECODERS)
        services.experiments.cache.current()  # looks now what is known, for which the first request would wait
        with suppress(Unavailable):  # it will look again
            services.manifest.current()  # so that a manifest that is damaged later is one that every worker has read
        self.services = services
        self._lanes = Lanes(self.wsgi, services.settings.threads)
        self.cfg = SettledConfig(self.cfg)
        gc.collect()
        gc.freeze()  # what is here stays: a collection that looked at it, too, would hold all requests up for 0.1 s
        self._client_seconds, self._most_bytes = services.settings.client_seconds, services.settings.max_body_bytes

    def run(self) -> None:
        """Serve until told to stop, then finish the requests under way."""
        COUNTS.join(self.age)
        servers = [self._listener(each) for each in self.sockets]
        for server in servers:
            server.start()
        while self.alive:
            self.notify()
            self._stopping.wait(NOTIFY_SECONDS)
            self._end_idle(time.monotonic() - self.cfg.keepalive)
        COUNTS.leave(self.age)
        for server in servers:
            server.close()
        self._end_idle(time.monotonic())
        until = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < until and not all(server.pool.join(NOTIFY_SECONDS) for server in servers):
            self.notify()
        for server in servers:
            server.stop(timeout=1)

    def _listener(self, shared: gevent.socket.socket) -> Listener:
        shared.setblocking(True)
        return Listener(shared, partial(self.handle, shared), self.worker_connections, self.age)

    def _end_idle(self, since: float) -> None:
        """Close the connections on which nothing has been answered since then."""
        for connection, began in self._idle.items():
            if began <= since:
                # To whoever waits for a request it is as if the client had closed it; gevent's own would be an error.
                with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as native:
                    native.shutdown(socket.SHUT_RD)

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """Wait for a request without a timer of its own: `run` looks at all connections."""
        return NO_TIMER

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop, told by SIGTERM."""
        super().handle_exit(sig, frame)
        self._stopping.set()

    def handle(self, listener: gevent.socket.socket, client: gevent.socket.socket, addr: Any) -> None:
        """Answer the requests of one connection."""
        self._idle[client] = time.monotonic()
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.pop(client, None)

    def handle_request(self, listener_name: Any, req: Any, sock: gevent.socket.socket, addr: Any) -> None:
        """Answer one request; StopIteration closes the connection."""
        self._idle.pop(sock, None)
        sock.settimeout(self._client_seconds)
        try:
            environ = environ_of(req, addr, listener_name)
            read_body(req, environ, sock, self._most_bytes, self._client_seconds)
            close = req.should_close() or not self.alive
            _send(sock, self._lanes.answer(environ, close))
            gevent.sleep(0)  # whoever sends one request after the other, refused or not, lets others have their turn
        except OF_BODIES as error:
            self.handle_error(req, sock, addr, error)
            raise StopIteration from error
        except (TimeoutError, GreenletExit) as error:  # the client does not take its answer, or the worker has to end
            raise StopIteration from error
        sock.settimeout(None)
        if close or not self.alive:
            raise StopIteration
        self._idle[sock] = time.monotonic()

    def handle_error(self, req: Any, client: gevent.socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what is no proper request."""
        response = refuse(exc, addr[0] if addr else "")
        if self.services:
            self.services.metrics.refused("malformed")
        with suppress(OSError):
            client.settimeout(1)
            client.sendall(response)


def _send(connection: gevent.socket.socket, response: bytes) -> None:
    """Send all of a response, which nearly always goes at once."""
    if (sent := connection.send(response)) < len(response):
        connection.sendall(memoryview(response)[sent:])
