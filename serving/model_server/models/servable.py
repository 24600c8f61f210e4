"""One loaded SavedModel, run as TF Serving runs it: a graph in a session, restored by the SavedModel loader."""

import functools
import gc
import threading
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving.model_server.batching.batch import Feeds
from serving.model_server.batching.batcher import Batcher
from serving.model_server.errors import as_serving_error
from serving.model_server.inference.bounded import ends_by_itself
from serving.model_server.inference.signatures import Signature

# Each choice of outputs, which is the client's, needs a callable of its own.
MAX_CALLABLES = 128
IN_POOL, IN_CALLING_THREAD = 0, -1  # where a graph is run, in RunOptions' words


def session_config(intra_op_threads: int, inter_op_threads: int) -> config_pb2.ConfigProto:
    """Return the configuration of a session on the CPU; 0 threads is one a core."""
    return config_pb2.ConfigProto(
        intra_op_parallelism_threads=intra_op_threads,
        inter_op_parallelism_threads=inter_op_threads,
        device_count={"GPU": 0},
    )


class Servable:
    """A version of a model in memory. `run` may be called from many threads, `close` after the last of them."""

    def __init__(self, name: str, version: int, path: str, tags: Sequence[str], config: config_pb2.ConfigProto) -> None:
        """Load the SavedModel in `path`; raise TensorFlow's error or `OSError` where that fails."""
        self.name = name
        self.version = version
        self.path = path
        self._callables: dict[tuple, Callable[..., list[np.ndarray]]] = {}
        self._lock = threading.Lock()
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.loader.load(self._session, list(tags), path)
        except BaseException:
            self._session.close()
            raise
        self._ends_by_itself = functools.lru_cache(MAX_CALLABLES)(
            functools.partial(ends_by_itself, self._session.graph)
        )
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = dict(meta_graph.signature_def)
        self.tables = {key: Signature.of(definition) for key, definition in self.signatures.items()}

    def run(
        self, feeds: dict[str, np.ndarray], fetches: Sequence[str], timeout: float | None = None
    ) -> list[np.ndarray]:
        """Run the graph from the named tensors `feeds` to `fetches`, for `timeout` seconds at most.

        A run that ends by itself happens in the calling thread, without a time limit: for a few images, the way to a
        thread of the session and back takes longer than the run.
        """
        try:
            return self._callable(tuple(feeds), tuple(fetches), timeout)(*feeds.values())
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise as_serving_error(error) from error

    def _callable(
        self, feeds: tuple[str, ...], fetches: tuple[str, ...], timeout: float | None
    ) -> Callable[..., list[np.ndarray]]:
        ends = self._ends_by_itself(fetches)
        # A callable's time limit is fixed when it is made: limits are rounded up to a power of two milliseconds.
        milliseconds = 0 if timeout is None or ends else 1 << max(0, int(timeout * 1000)).bit_length()
        key = (feeds, fetches, milliseconds)
        made = self._callables.get(key)
        if made is None:
            place = IN_CALLING_THREAD if ends else IN_POOL
            run_options = config_pb2.RunOptions(timeout_in_ms=milliseconds, inter_op_thread_pool=place)
            options = config_pb2.CallableOptions(feed=feeds, fetch=fetches, run_options=run_options)
            with self._lock:
                if len(self._callables) >= MAX_CALLABLES:
                    self._callables.clear()
                # The public `make_callable` goes through `Session.run` as soon as there is something to feed.
                made = self._callables[key] = self._session._make_callable_from_options(options)
        return made

    def close(self) -> None:
        """Give the memory back."""
        self._callables.clear()
        self._session.close()
        del self._session, self._ends_by_itself
        gc.collect()  # a graph is full of reference cycles


class BatchingServable(Servable):
    """A servable whose runs go through a batcher."""

    def __init__(
        self, name: str, version: int, path: str, tags: Sequence[str], config: config_pb2.ConfigProto, batcher: Batcher
    ) -> None:
        super().__init__(name, version, path, tags, config)
        self._batcher = batcher
        self._run_alone = super().run

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout: float | None = None) -> list[np.ndarray]:
        """Run the graph as `Servable.run` does, as part of a batch."""
        return self._batcher.run(self._run_alone, feeds, fetches, timeout)
