"""An HTTP/1.1 server with limits on everything a client decides: connections, bodies, what they unpack to, patience."""

import http.server
import logging
import re
import threading
import zlib
from typing import Any

from serving.model_server.metrics import Metrics
from serving.model_server.rest_api import RestApi, error_text

IDLE_SECONDS = 30.0
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_log = logging.getLogger(__name__)


class _Refused(Exception):
    """A request whose body is not read to its end; the connection closes with the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


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
        self._places = threading.BoundedSemaphore(max_connections)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or send it away when all are taken."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        body = error_text("Too many connections; try again.").encode()
        head = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: {len(body)}"
        request.settimeout(1)
        try:
            request.sendall(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        except OSError:
            _log.debug("A connection that was sent away had already gone")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line that a connection broke; it is the client's affair."""
        _log.info("A REST connection ended early", exc_info=False)


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
        path = self.path.partition("?")[0]
        try:
            body = self._body()
            if path.lower().startswith("/v1/"):
                self._send(*self.server.api.answer(self.command, path, body), "application/json")
            elif path == self.server.metrics_path:
                self._send(200, self.server.metrics.render(), "text/plain; version=0.0.4")
            else:
                self.send_error(404)
        except _Refused as refused:
            self.close_connection = True
            self._send(refused.status, error_text(refused.message), "application/json")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _handle  # noqa: N815

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

    def _body(self) -> bytes:
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "deflate"):
            raise _Refused(415, f"Content-Encoding {encoding!r} is not supported; send gzip, deflate or none")
        body = self._chunked() if "Transfer-Encoding" in self.headers else self._sized()
        return body if encoding == "identity" else self._unpack(body)

    def _sized(self) -> bytes:
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit()):
            raise _Refused(400, f"Content-Length {text!r} is not a number")
        self._check_size(int(text[:20]))
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise _Refused(400, f"The body ends after {len(body)} of {text} bytes")
        return body

    def _chunked(self) -> bytes:
        if self.headers["Transfer-Encoding"].lower() != "chunked" or "Content-Length" in self.headers:
            raise _Refused(400, "Transfer-Encoding must be 'chunked', and no Content-Length with it")
        body = bytearray()
        while size := self._chunk_size():
            self._check_size(len(body) + size)
            body += self.rfile.read(size)
            if self.rfile.readline(3).strip():
                raise _Refused(400, "A chunk of the body is longer than it says")
        while self.rfile.readline(100).strip():  # trailers, which nobody asked for
            self._check_size(len(body))
        return bytes(body)

    def _chunk_size(self) -> int:
        text = self.rfile.readline(100).partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(text):
            raise _Refused(400, f"A chunk of the body has the size {text[:20].decode(errors='replace')!r}")
        return int(text, 16)

    def _unpack(self, body: bytes) -> bytes:
        # 32 lets zlib find out whether it is gzip or deflate.
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            unpacked = unpacker.decompress(body, self.server.max_body_bytes + 1)
        except zlib.error as error:
            raise _Refused(400, f"The body does not unpack: {error}") from error
        self._check_size(len(unpacked))
        if not unpacker.eof:
            raise _Refused(400, "The packed body ends too early")
        return unpacked

    def _check_size(self, size: int) -> None:
        if size > self.server.max_body_bytes:
            raise _Refused(413, f"A body may have {self.server.max_body_bytes} bytes; this one has more")

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: requests are counted, not logged."""


def listen(server: HttpServer) -> None:
    """Serve in a thread of its own until `server.shutdown` is called."""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="rest").start()
