"""A signature, taken apart when its model is loaded: asking its message again would cost every request more."""

import dataclasses
from collections.abc import Mapping

from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

# alias → (tensor of the graph, its type), in the order of the aliases
Tensors = dict[str, tuple[str, int]]


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a signature takes and gives."""

    inputs: Tensors
    outputs: Tensors
    defaults: Mapping[str, tensor_pb2.TensorProto]

    @classmethod
    def of(cls, definition: meta_graph_pb2.SignatureDef) -> "Signature":
        """Take a SignatureDef apart."""
        return cls(_tensors(definition.inputs), _tensors(definition.outputs), dict(definition.defaults))


def _tensors(infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> Tensors:
    return {alias: (info.name, info.dtype) for alias, info in sorted(infos.items())}
