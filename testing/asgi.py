"""Send many predictions at a time to an application in this process, as a worker's event loop gets them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask.testing import FlaskClient

from serving.gateway.server.asgi import Application
from testing.traffic import RAW


def predict_all(client: FlaskClient, query: str, bodies: Sequence[bytes], units: Sequence[str] = ()) -> list[Any]:
    """Request predictions for all bodies at once, in `units` where given; return the answers in their order."""
    application = Application(client.application)
    loop = client.application.extensions["gateway"].event_loop
    heads = [[(b"host", b"localhost"), (b"content-type", RAW.encode())] for _ in bodies]
    for head, unit in zip(heads, units, strict=False):
        head.append((b"x-unit-id", unit.encode()))

    async def every() -> list[Any]:
        return await asyncio.gather(*(_post(application, query, *each) for each in zip(heads, bodies, strict=True)))

    return loop.run(every())


def post(client: FlaskClient, path: str, content_type: str, body: bytes) -> int:
    """Send one request; return the status of its answer."""
    application = Application(client.application)
    head = [(b"host", b"localhost"), (b"content-type", content_type.encode())]
    loop = client.application.extensions["gateway"].event_loop
    return loop.run(_answer(application, path, "", head, body))[0]["status"]


def answer(client: FlaskClient, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
    """Return the JSON of the answer to one request."""
    application = Application(client.application)
    head = [(b"host", b"localhost"), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
    loop = client.application.extensions["gateway"].event_loop
    sent = loop.run(_answer(application, path, "", head, body))
    assert sent[0]["status"] == 200, sent
    return json.loads(sent[1]["body"])


async def _post(application: Application, query: str, head: list[tuple[bytes, bytes]], body: bytes) -> Any:
    sent = await _answer(application, "/predict", query, head, body)
    assert sent[0]["status"] == 200, sent
    return json.loads(sent[1]["body"])


async def _answer(
    application: Application, path: str, query: str, head: list[tuple[bytes, bytes]], body: bytes
) -> list[Any]:
    """Return the messages of an answer."""
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": query.encode(),
        "headers": [*head, (b"content-length", str(len(body)).encode())], "client": ("127.0.0.1", 1),
        "scheme": "http", "http_version": "1.1", "server": ("127.0.0.1", 80), "raw_path": path.encode(),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent
