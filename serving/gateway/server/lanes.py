"""Two lanes for requests: predictions are answered by the greenlet of their connection, all else by native threads."""

from gevent import get_hub
from gevent.threadpool import ThreadPool

from serving.gateway.server.exchange import answered
from serving.gateway.server.wsgi import Application, Environ

NEVER_BLOCK = frozenset(("/predict", "/healthz"))  # paths whose views wait by `waits` alone


class Lanes:
    """What calls an application in the lane that a request belongs to."""

    def __init__(self, application: Application, threads: int) -> None:
        """Prepare for the thread that this is called in, which runs the greenlets."""
        self._application = application
        self._pool = ThreadPool(threads, get_hub())

    def answer(self, environ: Environ, close: bool) -> bytes:
        """Return the response to one request, whose body has been read."""
        if environ["PATH_INFO"] in NEVER_BLOCK:
            return answered(self._application, environ, close)
        return self._pool.apply(answered, (self._application, environ, close))
