"""An HTTP/1.1 server with limits on what a client decides: how many connections, how much body, how much patience."""

import contextlib
import http.server
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from serving.model_server.metrics import Metrics
from serving.model_server.rest.api import RestApi, error_text
from serving.model_server.rest.http_body import Refused, read_body

IDLE_SECONDS = 30.0
LINGER_SECONDS = 2.0
_log = logging.getLogger(__name__)


class HttpServer(http.server.ThreadingHTTPServer):
    """Serves the REST API and, where there is a path for it, metrics; a thread a connection, so many and no more."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], api: RestApi, metrics: Metrics, metrics_path: str | None,
        max_connections: int, max_body_bytes: int,
    ) -> None:  # fmt: skip
        """Bind to `address`; raise `OSError` when that is taken."""
        self.api = api
        self.metrics = metrics
        self.metrics_path = metrics_path
        self.max_body_bytes = max_body_bytes
        self.ending = False
        self._places = threading.BoundedSemaphore(max_connections)
        self._under_way = 0
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="rest").start()

    def stop(self, timeout: float) -> None:
        """Take no more connections, and wait for requests under way for `timeout` seconds at most."""
        self.ending = True
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, timeout)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or send it away when all are taken."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        body = error_text("Too many connections; try again.").encode()
        head = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: {len(body)}"
        request.settimeout(1)
        with contextlib.suppress(OSError):  # who is sent away may already have gone
            request.sendall(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way, from its headers to the last byte of its answer."""
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say that a connection broke, which is its client's affair, without a stack trace."""
        _log.info("A REST connection ended early")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # else a request line that is none gets an answer without a status
    server_version = "dropserve"
    sys_version = ""
    timeout = IDLE_SECONDS
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True
    server: HttpServer

    def _handle(self) -> None:
        with self.server.counted():
            try:
                self._answer(read_body(self.headers, self.rfile, self.server.max_body_bytes))
            except Refused as refused:
                self.close_connection = True
                self._send(refused.status, error_text(refused.message), "application/json")
                self._linger()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _handle  # noqa: N815

    def _answer(self, body: bytes) -> None:
        self.close_connection |= self.server.ending
        path = self.path.partition("?")[0]
        if path.lower().startswith("/v1/"):
            self._send(*self.server.api.answer(self.command, path, body), "application/json")
        elif path == self.server.metrics_path:
            self._send(200, self.server.metrics.render(), "text/plain; version=0.0.4")
        else:
            self.send_error(404)

    def _send(self, status: int, text: str, content_type: str) -> None:
        body = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _linger(self) -> None:
        """Let the rest of a refused body come in, so that its sender does not lose the answer to a reset."""
        until = time.monotonic() + LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER_SECONDS)
            while time.monotonic() < until and self.rfile.read1(1 << 16):
                pass

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: requests are counted, not logged."""
