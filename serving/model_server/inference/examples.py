"""Classify, Regress and MultiInference: signatures that take serialized tf.Examples."""

from collections.abc import Sequence

import numpy as np
from grpc import StatusCode
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2, inference_pb2, input_pb2, model_pb2, regression_pb2

from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.inference.predict import DEFAULT_SIGNATURE, resolved_spec
from serving.model_server.models.servable import Servable

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}
_OUTPUTS = {CLASSIFY: ("classes", "scores"), REGRESS: ("outputs",)}

# A signature and the method to run it as. TF Serving ignores the method that the signature itself names, unless told
# otherwise: TensorFlow 2 writes Predict's into all of them.
Wanted = tuple[meta_graph_pb2.SignatureDef, str]


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest, timeout: float | None = None
) -> classification_pb2.ClassificationResponse:
    """Answer a ClassificationRequest: labels and scores of every example."""
    signature = _signature(servable, request.model_spec, CLASSIFY)
    count, outputs = _run(servable, [(signature, CLASSIFY)], request.input, timeout)
    return classification_pb2.ClassificationResponse(
        result=_classifications(signature, outputs, count),
        model_spec=resolved_spec(servable, request.model_spec),
    )


def regress(
    servable: Servable, request: regression_pb2.RegressionRequest, timeout: float | None = None
) -> regression_pb2.RegressionResponse:
    """Answer a RegressionRequest: one value for every example."""
    signature = _signature(servable, request.model_spec, REGRESS)
    count, outputs = _run(servable, [(signature, REGRESS)], request.input, timeout)
    return regression_pb2.RegressionResponse(
        result=_regressions(signature, outputs, count), model_spec=resolved_spec(servable, request.model_spec)
    )


def multi_inference(
    servable: Servable, request: inference_pb2.MultiInferenceRequest, timeout: float | None = None
) -> inference_pb2.MultiInferenceResponse:
    """Answer a MultiInferenceRequest: several signatures on the same examples, in one run."""
    wanted = _wanted(servable, request.tasks)
    count, outputs = _run(servable, wanted, request.input, timeout)
    response = inference_pb2.MultiInferenceResponse()
    for task, (signature, method) in zip(request.tasks, wanted, strict=True):
        result = response.results.add(model_spec=resolved_spec(servable, task.model_spec))
        if method == CLASSIFY:
            result.classification_result.CopyFrom(_classifications(signature, outputs, count))
        else:
            result.regression_result.CopyFrom(_regressions(signature, outputs, count))
    return response


def _wanted(servable: Servable, tasks: Sequence[inference_pb2.InferenceTask]) -> list[Wanted]:
    keys = [task.model_spec.signature_name or DEFAULT_SIGNATURE for task in tasks]
    wanted = []
    for position, (task, key) in enumerate(zip(tasks, keys, strict=True)):
        if task.model_spec.name != tasks[0].model_spec.name:
            raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        if key in keys[:position]:
            raise invalid_argument(f"Duplicate evaluation of signature: {key}")
        if key not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {key}")
        if task.method_name not in _KINDS:
            message = f"Unsupported signature method_name: {task.method_name}"
            raise ServingError(StatusCode.UNIMPLEMENTED, message)
        wanted.append((_check(servable.signatures[key], task.method_name), task.method_name))
    return wanted


def _signature(servable: Servable, spec: model_pb2.ModelSpec, method: str) -> meta_graph_pb2.SignatureDef:
    key = spec.signature_name or DEFAULT_SIGNATURE
    if key not in servable.signatures:
        raise invalid_argument(f"No signature was found with the name: {key}")
    return _check(servable.signatures[key], method)


def _check(signature: meta_graph_pb2.SignatureDef, method: str) -> meta_graph_pb2.SignatureDef:
    kind, aliases = _KINDS[method], _OUTPUTS[method]
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if not 1 <= len(signature.outputs) <= len(aliases):
        one_or_two = f"Expected one or two output Tensors, found {len(signature.outputs)}"
        raise invalid_argument(one_or_two if method == CLASSIFY else "Expected one output Tensor.")
    if "inputs" not in signature.inputs:
        raise invalid_argument(f"No {kind} inputs found in SignatureDef: {signature}")
    if not any(alias in aliases for alias in signature.outputs):
        wanted = " or ".join(f'"{alias}"' for alias in aliases)
        raise invalid_argument(
            f"Expected {kind} signature outputs to contain at least one of {wanted}. Signature was: {signature}"
            if method == CLASSIFY
            else f"No {kind} outputs found in SignatureDef: {signature}"
        )
    return signature


def _run(
    servable: Servable, wanted: Sequence[Wanted], given: input_pb2.Input, timeout: float | None
) -> tuple[int, dict[str, np.ndarray]]:
    """Run the signatures on the given examples; return how many these are and tensor name → array."""
    examples = np.array(_serialized(given), object)
    feeds = {signature.inputs["inputs"].name: examples for signature, _ in wanted}
    fetches = sorted(
        {
            signature.outputs[alias].name
            for signature, method in wanted
            for alias in _OUTPUTS[method]
            if alias in signature.outputs
        }
    )
    arrays = servable.run(feeds, fetches, timeout)
    return len(examples), dict(zip(fetches, arrays, strict=True))


def _serialized(given: input_pb2.Input) -> list[bytes]:
    kind = given.WhichOneof("kind")
    context = b""
    examples = given.example_list.examples
    if kind == "example_list_with_context":
        # Serialized messages merge by being put one behind the other.
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    if not examples:
        raise invalid_argument("Input is empty.")
    return [context + example.SerializeToString() for example in examples]


def _classifications(
    signature: meta_graph_pb2.SignatureDef, outputs: dict[str, np.ndarray], count: int
) -> classification_pb2.ClassificationResult:
    parts = {}
    for alias, kind, name in (("classes", "O", "DT_STRING"), ("scores", "f", "DT_FLOAT")):
        if alias in signature.outputs:
            array = parts[alias] = outputs[signature.outputs[alias].name]
            if array.ndim != 2:
                shape = list(array.shape)
                raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {shape}")
            if array.dtype.char != kind:
                raise invalid_argument(f"Expected {alias} Tensor of {name}. Got: {array.dtype}")
            if len(array) != count:
                raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {len(array)}")
    if len({array.shape for array in parts.values()}) > 1:
        raise invalid_argument("Tensors class and score should match in dim_size(1).")
    width = next(iter(parts.values())).shape[1]
    labels = parts["classes"].tolist() if "classes" in parts else [[b""] * width] * count
    scores = parts["scores"].tolist() if "scores" in parts else [[0.0] * width] * count
    result = classification_pb2.ClassificationResult()
    for row_labels, row_scores in zip(labels, scores, strict=True):
        classes = result.classifications.add().classes
        for label, score in zip(row_labels, row_scores, strict=True):
            classes.add(label=label.decode(errors="replace"), score=score)
    return result


def _regressions(
    signature: meta_graph_pb2.SignatureDef, outputs: dict[str, np.ndarray], count: int
) -> regression_pb2.RegressionResult:
    array = outputs[signature.outputs["outputs"].name]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid_argument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {list(array.shape)}"
        )
    if array.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {array.dtype}")
    if len(array) != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {len(array)}")
    return regression_pb2.RegressionResult(
        regressions=[regression_pb2.Regression(value=value) for value in array.reshape(-1).tolist()]
    )
