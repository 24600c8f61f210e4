"""Tell whether a run of a graph ends soon without a time limit: no loops, and no operation that waits."""

from collections.abc import Iterable, Sequence

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.python.framework import op_def_registry

LOOPS = frozenset(("While", "StatelessWhile", "For", "Enter", "RefEnter"))
# The operations with a state that only read it or call functions.
AT_ONCE = frozenset(("Placeholder", "VarHandleOp", "ReadVariableOp", "StatefulPartitionedCall"))


def ends_by_itself(graph: tf.Graph, fetches: Sequence[str]) -> bool:
    """Return whether the computation of the tensors `fetches` ends by itself."""
    functions = {each.signature.name: each.node_def for each in graph.as_graph_def().library.function}
    met: set[str] = set()
    waiting: list[Iterable[node_def_pb2.NodeDef]] = [_nodes_behind(graph, fetches)]
    while waiting:
        for node in waiting.pop():
            called = {node.op, *(value.func.name for value in node.attr.values())} & functions.keys()
            if node.op not in functions and not _at_once(node.op):
                return False
            waiting.extend(functions[name] for name in called - met)
            met |= called
    return True


def _nodes_behind(graph: tf.Graph, fetches: Sequence[str]) -> list[node_def_pb2.NodeDef]:
    """Return the nodes that the fetched tensors are computed from, without those inside functions."""
    met: dict[str, tf.Operation] = {}
    waiting = [graph.get_tensor_by_name(name).op for name in fetches]
    while waiting:
        operation = waiting.pop()
        if operation.name not in met:
            met[operation.name] = operation
            waiting.extend([each.op for each in operation.inputs] + list(operation.control_inputs))
    return [operation.node_def for operation in met.values()]


def _at_once(kind: str) -> bool:
    known = op_def_registry.get(kind)
    return known is not None and kind not in LOOPS and (kind in AT_ONCE or not known.is_stateful)
