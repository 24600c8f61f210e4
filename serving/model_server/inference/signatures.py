"""A signature as plain tables, made once when its model is loaded: reading its message takes longer."""

import dataclasses
from collections.abc import Mapping

from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

# alias → (tensor of the graph, its type), in the order of the aliases
Tensors = dict[str, tuple[str, int]]


@dataclasses.dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a signature."""

    inputs: Tensors
    outputs: Tensors
    defaults: Mapping[str, tensor_pb2.TensorProto]

    @classmethod
    def of(cls, definition: meta_graph_pb2.SignatureDef) -> "Signature":
        """Make the tables of a SignatureDef."""
        return cls(_tensors(definition.inputs), _tensors(definition.outputs), dict(definition.defaults))


def _tensors(infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> Tensors:
    return {alias: (info.name, info.dtype) for alias, info in sorted(infos.items())}
