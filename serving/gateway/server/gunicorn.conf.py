"""gunicorn's configuration: `gunicorn -c serving/gateway/server/gunicorn.conf.py`."""

import contextlib
import ctypes
import errno
import os
import secrets
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.umask(0o077)  # what the gateway writes is for its own user; workers inherit this

OWN_FOLDER = "gateway-metrics-"  # begins the name of a folder that is made here
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # so that no writable disk is needed

# Packages look at these when they are imported, so they are set before.
if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=OWN_FOLDER, dir=MEMORY)
METRICS_DIR = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its notes of servers that end are no lines of JSON
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small, and the cores are the workers'
ROOT = Path(__file__).parents[3]
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
KEPT_BYTES = 8 * 2**20  # of free memory: a request of a thousand images takes some 4 MB for a moment
sys.path.insert(0, str(ROOT))

from prometheus_client.multiprocess import mark_process_dead  # noqa: E402

from serving.gateway.access.advice import advice  # noqa: E402
from serving.gateway.access.callers import long_enough  # noqa: E402
from serving.gateway.access.hosts import bracketed  # noqa: E402
from serving.gateway.commands import migrate  # noqa: E402
from serving.gateway.settings import Settings, SettingsError  # noqa: E402
from serving.gateway.telemetry.logs import log_config  # noqa: E402


def clear_metrics() -> None:
    """Remove the files that hold the metrics."""
    for file in METRICS_DIR.glob("*.db"):
        file.unlink()


def leave_nothing() -> None:
    """Remove the files that hold the metrics, and their folder if it was made here."""
    clear_metrics()
    if METRICS_DIR.name.startswith(OWN_FOLDER):
        with contextlib.suppress(OSError):  # somebody put something into it
            METRICS_DIR.rmdir()


try:
    settings = Settings.from_environ(os.environ)
except SettingsError as error:
    leave_nothing()
    sys.exit(str(error))

if not long_enough(settings.admin_token):  # one for all workers, told once
    why = "too short" if settings.admin_token.get_secret_value() else "not set"
    os.environ["GATEWAY_ADMIN_TOKEN"] = secrets.token_urlsafe(24)
    print(f"Administrators' token: {os.environ['GATEWAY_ADMIN_TOKEN']}   (GATEWAY_ADMIN_TOKEN is {why})", flush=True)

wsgi_app = "serving.gateway.server.asgi:create_asgi()"
bind = f"{bracketed(settings.host)}:{settings.port}"
workers = settings.workers
worker_class = "serving.gateway.server.worker.Worker"
worker_tmp_dir = MEMORY
reuse_port = True  # each worker has a socket of its own, too
keepalive = settings.keepalive_seconds
graceful_timeout = 45  # seconds: a worker gives requests 30, then writes what it has to record
control_socket_disable = True  # it wants a home directory to write to
loglevel = settings.log_level
logconfig_dict = log_config(settings.log_level)

warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged metadata in what people upload


def refuse_an_unusable_address() -> None:
    """End where the workers could not listen, which would be started again and again.

    And where another program listens: with `reuse_port` a second gateway would share its port without a word.
    """
    try:
        host = settings.host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET  # gunicorn binds names by IPv4
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(socket.getaddrinfo(host, settings.port, family, socket.SOCK_STREAM)[0][4])
    except (OSError, UnicodeError) as error:  # the latter for a name that is none
        leave_nothing()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            sys.exit(f"Another program listens at {bind}; stop it, or set GATEWAY_PORT to a free port")
        sys.exit(f"The gateway cannot listen at {bind}: {error}; set GATEWAY_HOST and GATEWAY_PORT")


def on_starting(server: Any) -> None:
    """Start counting at zero, say what has to be decided, and bring the database's schema up to date."""
    refuse_an_unusable_address()
    for line in advice(settings):
        server.log.warning("%s", line)
    clear_metrics()
    # In a process of its own: Alembic then stays out of every worker's memory. Where it fails, because the database is
    # not there yet, the workers try again.
    if (migration := os.fork()) == 0:
        os._exit(migrate.main())
    os.waitpid(migration, 0)


def post_fork(server: Any, worker: Any) -> None:
    """Keep what the threads free together, instead of an arena each: a third of a worker's memory.

    And keep enough of it for the next request. Memory that goes back to the system comes again page by page, at 1 to
    4 µs each: up to a fifth of the processor time that a worker takes for a thousand images.
    """
    with contextlib.suppress(AttributeError):  # where the C library is not glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)


def child_exit(server: Any, worker: Any) -> None:
    """Remove a dead worker's gauges."""
    mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """Leave nothing behind."""
    leave_nothing()
