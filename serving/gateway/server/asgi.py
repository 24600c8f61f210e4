"""The ASGI application of a worker: predictions as coroutines, everything else by the Flask application in threads.

Bodies are read whole and bounded before either sees them.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from serving.gateway import create_app
from serving.gateway.errors import Unavailable
from serving.gateway.server.protocol import Refusal, Refused
from serving.gateway.views import predict
from serving.gateway.web import problems, request_log
from serving.gateway.web.context import Gateway, RequestRecord
from serving.gateway.web.replies import Reply
from serving.gateway.web.request import Request, from_asgi

PREDICT = "/predict"
ENDPOINT = "predict.predict"
UNKNOWN_PATH = request_log.UNKNOWN_PATH
OF_BODY = (b"content-length", b"transfer-encoding")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Application:
    """Serves a Flask application of the gateway over ASGI."""

    def __init__(self, flask: Flask) -> None:
        """Prepare; the services connect when the worker starts."""
        self.services: Gateway = flask.extensions["gateway"]
        self._others = WSGIMiddleware(flask.wsgi_app, workers=self.services.settings.threads)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop the services with the worker."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == PREDICT and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        else:
            await self._other(scope, receive, send)

    def refused(self, scope: Scope | None, client: tuple[str, int] | None, refused: Refused) -> Reply:
        """Return the answer to a request that the protocol refuses; `scope` is None where its head is not whole."""
        services = self.services
        if scope is None:
            request = Request("", "", "", {}, client[0] if client else "")
        else:
            request = from_asgi(scope, services.settings.trusted_proxies)
        record = request_log.begin(services, request)
        record.problem = refused.detail
        if refused.refusal is not Refusal.BODY_TOO_LARGE:
            services.metrics.refused("malformed")
        reply = problems.reply(*refused.refusal.value, refused.detail)
        if refused.refusal is Refusal.TOO_MANY_CONNECTIONS:
            reply.headers.append(("Retry-After", "1"))
        return _finished(services, request, record, reply, UNKNOWN_PATH)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        services, request = self.services, from_asgi(scope, self.services.settings.trusted_proxies)
        record = request_log.begin(services, request)
        try:
            services.admission.admit(request, ENDPOINT)
            request.body = await receive_body(receive)
            reply = await predict.answer(services, predict.Call(request, record))
        except ClientGone:
            return
        except Exception as error:
            reply = problems.problem(error, record, PREDICT)
        reply = _finished(services, request, record, reply, PREDICT)
        raw = [_raw(*header) for header in reply.headers]
        raw.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await receive_body(receive)
        except ClientGone:
            return
        # Flask could not tell X_Forwarded_For from X-Forwarded-For; a body that came in chunks has a length now.
        headers = [pair for pair in scope["headers"] if b"_" not in pair[0] and pair[0] not in OF_BODY]
        headers.append((b"content-length", str(len(body)).encode()))

        async def whole() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._others({**scope, "headers": headers}, whole, send)  # type: ignore[arg-type]

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start the services, wait for the worker's end, finish them."""
        await receive()
        services, loop = self.services, asyncio.get_running_loop()
        services.event_loop.use(loop)
        await asyncio.to_thread(services.experiments.cache.current)  # the first request would wait for it
        services.experiments.retention.start()
        with suppress(Unavailable):  # it will be read again
            services.manifest.current()  # so that every worker has read a manifest that is damaged later
        journal = loop.create_task(services.journal.run())
        gc.collect()
        gc.freeze()  # a collection that looked at the loaded code, too, would hold up all requests
        await send({"type": "lifespan.startup.complete"})
        await receive()
        journal.cancel()
        await services.finish()
        await asyncio.to_thread(services.close)
        await send({"type": "lifespan.shutdown.complete"})


def create_asgi() -> Application:
    """Build the application of a worker from the process's environment."""
    return Application(create_app())


async def receive_body(receive: Receive) -> bytes:
    """Return the whole body, which the protocol bounds; raise ClientGone where the client closes the connection."""
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise ClientGone
    return parts[0] if len(parts) == 1 else b"".join(parts)


@lru_cache(1024)
def _raw(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def _finished(services: Gateway, request: Request, record: RequestRecord, reply: Reply, route: str) -> Reply:
    """Return a reply with the headers that every answer has, once it is logged and counted."""
    length, kind = str(len(reply.body)), reply.headers[0][1]
    added = request_log.end(services, request, record, route, reply.status, kind, length)
    return Reply(reply.status, [*reply.headers, *added], reply.body)
