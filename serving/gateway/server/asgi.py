"""The ASGI application of a worker: predictions as coroutines, everything else by the Flask application in threads.

Requests are admitted on their heads. Bodies are read whole and bounded before either sees them.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, NamedTuple

from a2wsgi import WSGIMiddleware
from flask import Flask
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException

from serving.gateway import create_app
from serving.gateway.access.fair_share import FairShare
from serving.gateway.errors import Unavailable
from serving.gateway.server.limits import Refusal, Refused
from serving.gateway.views import compare, open_inference, predict
from serving.gateway.web import predictions, problems, request_log
from serving.gateway.web.bodies import most_body, too_large
from serving.gateway.web.context import Gateway, RequestRecord
from serving.gateway.web.on_loop import Answer
from serving.gateway.web.replies import Reply
from serving.gateway.web.request import Request, from_asgi
from serving.gateway.web.request_log import Admitted

PROBES = ("health.healthz", "open_inference.live")  # of life
UNKNOWN_PATH = request_log.UNKNOWN_PATH
OF_ONE_CLIENT = 8  # one client has this part of the threads
OF_BODY = (b"content-length", b"transfer-encoding")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Route(NamedTuple):
    """The pattern of a path, and the endpoint that answers it."""

    pattern: str
    endpoint: str


# Calls that are answered on the event loop, by endpoint; the routes of the most frequent paths need no search.
INFER = partial(predictions.answer, protocol=open_inference.PROTOCOL)
COROUTINES: dict[str, Answer] = {
    "predict.predict": partial(predictions.answer, protocol=predict.PROTOCOL),
    "compare.compare": compare.answer,
    "open_inference.infer": INFER,
    "open_inference.infer_version": INFER,
}
ROUTES = {
    "/predict": Route("/predict", "predict.predict"),
    "/compare": Route("/compare", "compare.compare"),
}


class FlaskThreads:
    """Threads in which the Flask application answers, shared among clients; one client has a few of them at most.

    Each that computes makes the event loop wait for its turn of Python's lock, and so all predictions.
    """

    def __init__(self, flask: Flask, threads: int, refused: Callable[[], None]) -> None:
        self._flask = WSGIMiddleware(flask.wsgi_app, workers=threads)  # type: ignore[arg-type]
        self._share = FairShare(threads, max(1, threads // OF_ONE_CLIENT), refused)

    async def answer(self, client: str, scope: Scope, body: bytes) -> list[dict[str, Any]]:
        """Return the messages of an answer, made when the client's turn comes.

        They are sent after the turn: a client that is slow to take its answer keeps no thread.
        """
        made: list[dict[str, Any]] = []

        async def whole() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: dict[str, Any]) -> None:
            made.append(message)

        async with self._share.turn(client):
            await self._flask(scope, whole, keep)  # type: ignore[arg-type]
        return made


class Application:
    """Serves a Flask application of the gateway over ASGI."""

    def __init__(self, flask: Flask) -> None:
        """Prepare; the services connect when the worker starts."""
        self.services: Gateway = flask.extensions["gateway"]
        self._routes = flask.url_map.bind("")
        self._large_parts = asyncio.Lock()
        refused = partial(self.services.metrics.refused, "waiting")
        self._threads = FlaskThreads(flask, self.services.settings.threads, refused)
        self._probes_thread = FlaskThreads(flask, 1, refused)  # answers however many other requests there are

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop the services with the worker."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        ended = scope.pop("ended", None)  # of our protocol, which counts what it holds until then
        try:
            if "refused" not in scope:
                await self._answer(scope, receive, send)
        finally:
            if ended:
                ended()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        services, request = self.services, from_asgi(scope, self.services.settings.trusted_proxies)
        record = request_log.begin(services, request)
        posts = request.method == "POST"
        route = (ROUTES.get(request.path) if posts else None) or self._route(request)
        on_loop = COROUTINES.get(route.endpoint) if posts else None
        try:
            services.admission.admit(request, route.endpoint)
            if posts and route.endpoint:  # nothing else has a body that is read
                request.body = await receive_body(receive, self._large_parts)
            if on_loop is None:
                await self._by_flask(scope, Admitted(request, record), route, send)
                return
            reply = await on_loop(services, request, record)
        except ClientGone:
            return
        except Exception as error:
            reply = problems.problem(error, record, request.path)
        await _send(_finished(services, request, record, reply, route.pattern), send)

    def most_body(self, path: str) -> int:
        """Return the most bytes of a body of a request to `path`."""
        return most_body(path, self.services.settings)

    def too_large(self, path: str) -> str:
        """Return the detail of the problem with a larger one."""
        return too_large(path, self.services.settings).detail

    def client(self, scope: Scope) -> str:
        """Return the address of the client behind trusted proxies."""
        return from_asgi(scope, self.services.settings.trusted_proxies).client

    def dropped(self, refusal: Refusal) -> None:
        """Count a connection that is ended without an answer."""
        self.services.metrics.refused(refusal.reason)

    def refused(self, scope: Scope | None, client: tuple[str, int] | None, refused: Refused) -> Reply:
        """Return the answer to a request that the protocol refuses; `scope` is None where its head is not whole."""
        services = self.services
        if scope is None:
            request = Request("", "", "", {}, client[0] if client else "")
        else:
            request = from_asgi(scope, services.settings.trusted_proxies)
        record = request_log.begin(services, request)
        record.problem = refused.detail
        refusal = refused.refusal
        services.metrics.refused(refusal.reason)
        reply = problems.reply(request.path, refusal.status, refusal.phrase, refused.detail)
        if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
            reply.headers.append(("Retry-After", "1"))
        return _finished(services, request, record, reply, UNKNOWN_PATH)

    def _route(self, request: Request) -> Route:
        """Return the route of a request, one without an endpoint for a path or method that the API does not have."""
        try:
            rule, _ = self._routes.match(request.path, request.method, return_rule=True)
        except (HTTPException, RoutingException):
            return Route(UNKNOWN_PATH, "")
        return Route(rule.rule, rule.endpoint)

    async def _by_flask(self, scope: Scope, admitted: Admitted, route: Route, send: Send) -> None:
        """Answer by the Flask application, in a thread."""
        request = admitted.request
        # Flask could not tell X_Forwarded_For from X-Forwarded-For; a body that came in chunks has a length now.
        headers = [pair for pair in scope["headers"] if b"_" not in pair[0] and pair[0] not in OF_BODY]
        headers.append((b"content-length", str(len(request.body)).encode()))
        threads = self._probes_thread if route.endpoint in PROBES else self._threads
        environ = {**scope, "headers": headers, "admitted": admitted}
        start, *parts = await threads.answer(request.account, environ, request.body)
        await send(start)
        # As one piece, all of which the connection holds while the client takes it.
        await send({"type": "http.response.body", "body": b"".join(part.get("body", b"") for part in parts)})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start the services, wait for the worker's end, finish them."""
        await receive()
        services, loop = self.services, asyncio.get_running_loop()
        services.event_loop.use(loop)
        await asyncio.to_thread(services.experiments.cache.current)  # the first request would wait for it
        services.experiments.retention.start()
        services.experiments.notifier.start()
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


async def receive_body(receive: Receive, large_parts: asyncio.Lock) -> bytes:
    """Return the whole body, which the protocol bounds; raise ClientGone where the client closes the connection.

    After a large part it waits for `large_parts`, so that large bodies are read one part in a turn of the loop: many
    parts in one turn would make every prediction wait.
    """
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body"):
        if len(parts[-1]) > HIGH_WATER_LIMIT:  # uvicorn reads no more until it is asked to
            async with large_parts:
                await asyncio.sleep(0)
        message = await receive()
        parts.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise ClientGone
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(reply: Reply, send: Send) -> None:
    headers = [_raw(*header) for header in reply.headers]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


@lru_cache(1024)
def _raw(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def _finished(services: Gateway, request: Request, record: RequestRecord, reply: Reply, route: str) -> Reply:
    """Return a reply with the headers that every answer has, once it is logged and counted."""
    length, kind = str(len(reply.body)), reply.headers[0][1]
    added = request_log.end(services, request, record, route, reply.status, kind, length)
    return Reply(reply.status, [*reply.headers, *added], reply.body)
