"""gunicorn's configuration of the no-op application: the gateway's own, on the worker that the gateway's extends."""

from runpy import run_path
from typing import Any

globals().update(run_path("serving/gateway/server/gunicorn.conf.py"))
wsgi_app = "benchmarks.serving.peers.noop:app"
worker_class = "gevent"


def worker_exit(server: Any, worker: Any) -> None:
    """Do nothing: there is nothing to write."""
