"""Load TensorFlow without its remarks on processors, CUDA and rounding; errors stay visible."""

import contextlib
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def loading_tensorflow() -> Iterator[None]:
    """Discard standard error while TensorFlow's libraries load; an exception still gets through."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
