"""Entry point: `python -m serving.model_server --model_config_file=…`."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

from serving.model_server.configuration.settings import ConfigError, parse_settings

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Discard the remarks of TensorFlow's libraries while they load; an exception is still reported."""
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _import_server() -> tuple[ModuleType, ModuleType]:
    """Return the modules `server` and `errors`, which load TensorFlow, in silence unless the user sets a log level."""
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow loads Keras 3 with itself, though not Keras 2: a fifth of the start, and 75 MB without a use here.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    # Models run on the CPU; without devices to look for, CUDA has no errors to report.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with _silenced_stderr() if quiet else contextlib.nullcontext():
        from serving.model_server import errors, server
    # TensorFlow's remarks about the loader need no action of an operator.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return server, errors


def _on_signal(action: Callable[[], None]) -> None:
    """Call `action` in a thread of its own when one of the blocked `SIGNALS` comes."""

    def wait_for_signal() -> None:
        signal.sigwait(SIGNALS)
        action()

    threading.Thread(target=wait_for_signal, daemon=True, name="signals").start()


def main() -> int:
    """Serve until SIGTERM or SIGINT; 255 when the server cannot start, as TF Serving."""
    # Blocked here, in every thread to come: a handler would run in the main thread only, which does not wake up for a
    # signal that comes together with SIGCONT.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.umask(0o077)  # the Unix socket asks nobody for a key, so no other user may reach it, from the first moment on
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s")
    try:
        settings = parse_settings(sys.argv[1:], os.environ)
    except ConfigError as error:
        return _failed(error)
    server, errors = _import_server()
    try:
        running = server.Server(settings)
        _on_signal(running.stop)
        running.start()
        running.wait()
    except (ConfigError, errors.ServingError) as error:
        return _failed(error)
    return 0


def _failed(error: Exception) -> int:
    print(f"Failed to start server. Error: {error}", file=sys.stderr)
    return 255


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    # Threads of gRPC and TensorFlow outlive the server; the interpreter's own way out would end some of them inside
    # C++ code, which aborts the process.
    os._exit(code)
