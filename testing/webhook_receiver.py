"""A receiver of webhooks: a real HTTP server that keeps what it gets."""

import json
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0" * 4
TAKEN, DOWN = 204, 503
TRICKLED = 1000  # bytes, of ten seconds at least


class Message(NamedTuple):
    """A message that came in; `status` is the answer to it."""

    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> Any:
        """Return the JSON of the body, if another implementation than the gateway's finds its signature right."""
        return Webhook(secret).verify(self.body, dict(self.headers))

    @property
    def experiment(self) -> str | None:
        return json.loads(self.body)["data"].get("experiment")


class WebhookReceiver:
    """Listens on 127.0.0.1 until the end of a `with`; answers by `status`, and waits for `may_answer` before.

    With `trickles` its answer comes byte by byte, TRICKLED before it is given up.
    """

    def __init__(self, port: int = 0, certificate: Path | None = None, location: str = "") -> None:
        """Listen, over TLS where there is a certificate; `location` is that of a redirect."""
        self.status = TAKEN
        self.messages: list[Message] = []
        self.arrived, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self.trickles, self.trickled = False, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = outer.status
                outer.arrived.set()
                outer.may_answer.wait()
                outer.messages.append(
                    Message({name.lower(): value for name, value in self.headers.items()}, body, status)
                )
                try:
                    for _ in range(TRICKLED if outer.trickles else 0):
                        self.wfile.write(b"H")
                        outer.trickled += 1
                        time.sleep(0.01)
                    self.send_response(status)
                    if location:
                        self.send_header("location", location)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the sender has been killed

            def log_message(self, *ignored: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def taken(self) -> list[Message]:
        """Return the messages that were answered by TAKEN."""
        return [message for message in self.messages if message.status == TAKEN]

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
