"""Entry point: `python -m serving.model_server --model_config_file=…`."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from serving.model_server.configuration.settings import ConfigError, parse_settings


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Send what TensorFlow's libraries print while they are loaded to nowhere; an exception still gets through."""
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _on_signal(action: Callable[[], None]) -> None:
    """Do `action` in a thread on SIGTERM or SIGINT: a handler interrupts code that may hold the locks it would need."""
    reader, writer = os.pipe()

    def wait_for_signal() -> None:
        os.read(reader, 1)
        action()

    threading.Thread(target=wait_for_signal, daemon=True, name="signals").start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: os.write(writer, b"."))


def main() -> int:
    """Serve until SIGTERM or SIGINT; 255 when the server cannot start, as TF Serving."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow loads Keras 3 with itself, though not Keras 2: a fifth of the start, and 75 MB without a use here.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    try:
        settings = parse_settings(sys.argv[1:], os.environ)
        with _silenced_stderr():
            from serving.model_server import errors, server
        # TensorFlow's own remarks about the loader say nothing that an operator could act on.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    except ConfigError as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)
        return 255
    try:
        running = server.Server(settings)
        _on_signal(running.stop)
        running.start()
        running.wait()
    except (ConfigError, errors.ServingError) as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)
        return 255
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    # Threads of gRPC and TensorFlow outlive the server; the interpreter's own way out would end some of them inside
    # C++ code, which aborts the process.
    os._exit(code)
