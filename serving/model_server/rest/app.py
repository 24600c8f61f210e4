"""The REST API as an ASGI application: HTTP on one side, `RestApi` and metrics in threads on the other."""

import asyncio
import http
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.model_server.metrics import Metrics
from serving.model_server.rest.api import RestApi, error_text
from serving.model_server.rest.body import Disconnected, Receive, Refused, discard_body, read_body, unpack

Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[int, str, bytes]  # status, content type, body

JSON = "application/json"
NOT_FOUND = "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>"


class RestApp:
    """Answers with an API, and with metrics where there is a path for them."""

    def __init__(self, api: RestApi, metrics: Metrics, metrics_path: str | None, threads: int, max_body: int) -> None:
        """Run requests of at most `max_body` bytes in so many threads."""
        self._api = api
        self._metrics = metrics
        self._metrics_path = metrics_path
        self._max_body = max_body
        self._threads = ThreadPoolExecutor(threads, "rest")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        method, path = scope["method"], scope["raw_path"].decode("latin-1")
        try:
            body = await read_body(scope["headers"], receive, self._max_body)
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, method, path, *body)
        except Disconnected:
            return
        except Refused as refused:
            await _refuse(refused, receive, send)
        else:
            await _send_head(send, answer)
            await send({"type": "http.response.body", "body": answer[2]})

    def _answer(self, method: str, path: str, packed: bytes, encoding: str) -> Answer:
        try:
            body = unpack(packed, encoding, self._max_body)
        except Refused as refused:
            return _refusal(refused)
        if path.lower().startswith("/v1/"):
            status, text = self._api.answer(method, path, body)
            return status, JSON, text.encode(errors="replace")
        if path == self._metrics_path:
            return http.HTTPStatus.OK, "text/plain; version=0.0.4", self._metrics.render()
        return http.HTTPStatus.NOT_FOUND, "text/html; charset=utf-8", NOT_FOUND.encode()


def _refusal(refused: Refused) -> Answer:
    return refused.status, JSON, error_text(refused.message).encode()


async def _refuse(refused: Refused, receive: Receive, send: Send) -> None:
    """Answer, then read the rest of the body for a while, then close the connection."""
    answer = _refusal(refused)
    await _send_head(send, answer, (b"connection", b"close"))
    await send({"type": "http.response.body", "body": answer[2], "more_body": True})
    await discard_body(receive)
    await send({"type": "http.response.body", "body": b""})


async def _send_head(send: Send, answer: Answer, *more: tuple[bytes, bytes]) -> None:
    status, content_type, body = answer
    headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
