"""Two lanes for requests: predictions are answered by the greenlet of their connection, all else by native threads.

Either way the body has been read before the application is called, so that no slow client holds a thread or a place.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from gevent import Timeout, get_hub
from gevent.threadpool import ThreadPool

from serving.gateway.refusals import TooSlow
from serving.gateway.settings import Settings

NEVER_BLOCK = frozenset(("/predict", "/healthz"))  # paths whose views wait by `waits` alone

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Lanes:
    """A WSGI application in front of another."""

    def __init__(self, application: Callable[[Environ, StartResponse], Iterable[bytes]], settings: Settings) -> None:
        """Prepare for the thread that this is called in, which runs the greenlets."""
        self._application = application
        self._most = settings.max_body_bytes
        self._seconds = settings.client_seconds
        self._pool = ThreadPool(settings.threads, get_hub())

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self._read(environ)
        if environ["PATH_INFO"] in NEVER_BLOCK:
            return self._application(environ, start_response)
        started, body = self._pool.apply(self._whole, (environ,))
        start_response(*started)
        return body

    def _read(self, environ: Environ) -> None:
        """Read the body, up to one byte more than is taken; leave one that says it is larger to be refused."""
        announced = environ.get("CONTENT_LENGTH")
        if not (announced or "HTTP_TRANSFER_ENCODING" in environ) or int(announced or 0) > self._most:
            return
        with Timeout(self._seconds, TooSlow(f"the body did not come within {self._seconds} seconds.")):
            environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(self._most + 1))

    def _whole(self, environ: Environ) -> tuple[tuple[Any, ...], list[bytes]]:
        """Return what the application starts its response with, and its whole body."""
        started: list[tuple[Any, ...]] = []
        parts = self._application(environ, lambda *arguments: started.append(arguments))
        try:
            body = list(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return started[-1], body
