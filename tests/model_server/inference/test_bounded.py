from collections.abc import Callable

import pytest
import tensorflow as tf

from serving.model_server.inference.bounded import ends_by_itself

N = tf.TensorSpec([], tf.int64, "n")


def looped(n: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda i: i < n, lambda i: [i + 1], [tf.zeros([], tf.int64)])[0]


def ends(function: Callable[[tf.Tensor], tf.Tensor]) -> bool:
    """Return the verdict on a function in a graph that calls it, as in a SavedModel."""
    called = tf.function(function, autograph=False)
    with tf.Graph().as_default() as graph:
        result = called(tf.compat.v1.placeholder(tf.int64, []))
        return ends_by_itself(graph, [result.name])


@pytest.mark.parametrize(
    "function",
    [
        lambda n: n + 1,
        lambda n: tf.cond(n > 1, lambda: n, lambda: -n),
        tf.function(lambda n: 2 * n, input_signature=[N]),
    ],
)
def test_plain_computations_end(function: Callable[[tf.Tensor], tf.Tensor]) -> None:
    assert ends(function)


@pytest.mark.parametrize(
    "function",
    [
        looped,
        lambda n: tf.cond(n > 1, lambda: looped(n), lambda: n),
        tf.function(looped, input_signature=[N]),
        lambda n: tf.queue.FIFOQueue(1, [tf.int64]).dequeue() + n,
    ],
)
def test_loops_and_queues_may_not_end(function: Callable[[tf.Tensor], tf.Tensor]) -> None:
    assert not ends(function)


def test_only_fetched_tensors_count() -> None:
    with tf.Graph().as_default() as graph:
        given = tf.compat.v1.placeholder(tf.int64, [])
        plain, endless = given + 1, looped(given)
    assert ends_by_itself(graph, [plain.name]) and not ends_by_itself(graph, [plain.name, endless.name])
