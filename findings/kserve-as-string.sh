#!/usr/bin/env bash
# kserve 0.21.0: `InferInput.as_string` fails for texts as the protocol sends them, by REST and by gRPC.
#
# It wants a list of lists of bytes. The Open Inference Protocol sends tensors flat: texts in JSON, bytes in gRPC. Both
# end in an AttributeError in the model's own code; `as_numpy` works.
# Seen: of two texts by REST "'str' object has no attribute 'decode'", by gRPC "'int' object has no attribute 'decode'".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: kserve==0.21.0
"$folder/venv/bin/python" - <<'END'
import json

from kserve import InferRequest
from kserve.protocol.grpc.grpc_predict_v2_pb2 import InferTensorContents, ModelInferRequest

tensor = {"name": "names", "shape": [2], "datatype": "BYTES"}
body = json.dumps({"inputs": [tensor | {"data": ["seven", "nine"]}]}).encode()
by_rest = InferRequest.from_bytes(body, len(body), "model").inputs[0]
contents = InferTensorContents(bytes_contents=[b"seven", b"nine"])
message = ModelInferRequest.InferInputTensor(**tensor, contents=contents)
by_grpc = InferRequest.from_grpc(ModelInferRequest(model_name="model", inputs=[message])).inputs[0]


def texts(tensor):
    try:
        return tensor.as_string()
    except AttributeError as error:
        return str(error)


print(f"REST: {texts(by_rest)}; gRPC: {texts(by_grpc)}; as_numpy: {by_rest.as_numpy()}, {by_grpc.as_numpy()}")
assert texts(by_rest) == "'str' object has no attribute 'decode'", "the behaviour has changed"
assert texts(by_grpc) == "'int' object has no attribute 'decode'", "the behaviour has changed"
assert by_rest.as_numpy().tolist() == ["seven", "nine"], "the behaviour has changed"
END
