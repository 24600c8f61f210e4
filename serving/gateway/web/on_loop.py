"""Answer Flask's requests by the coroutines that answer the worker's own on its event loop."""

from collections.abc import Callable, Coroutine
from typing import Any

from flask import Response, request

from serving.gateway.web.bodies import read_body
from serving.gateway.web.context import Gateway, RequestRecord, gateway, incoming, record
from serving.gateway.web.replies import Reply
from serving.gateway.web.request import Request

Answer = Callable[[Gateway, Request, RequestRecord], Coroutine[Any, Any, Reply]]


def answer_on_loop(answer: Answer) -> Response:
    """Return the response to this Flask request, by a coroutine that takes a request whose body is whole."""
    services, call = gateway(), incoming()
    call.body = read_body(request.environ, request.path, services.settings)
    return services.event_loop.run(answer(services, call, record())).response()
