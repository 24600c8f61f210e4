#!/usr/bin/env bash
# tensorflow-serving-api 2.21.0: its gRPC client cannot be imported without TensorFlow.
#
# The package holds nothing but protobuf messages and stubs, for which protobuf and grpcio would do. But the messages
# import `tensorflow.core`, which lies inside the TensorFlow package: 1.2 GB on disk for a client.
# Seen: "ModuleNotFoundError: No module named 'tensorflow'".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: --no-deps tensorflow-serving-api==2.21.0 \
  protobuf==7.36.2 grpcio==1.85.3 typing-extensions==4.15.0
"$folder/venv/bin/python" - <<'END'
try:
    from tensorflow_serving.apis import prediction_service_pb2_grpc
except ModuleNotFoundError as error:
    print(f"ModuleNotFoundError: {error}")
    assert error.name == "tensorflow", "the behaviour has changed"
else:
    raise SystemExit(f"the behaviour has changed: {prediction_service_pb2_grpc} was imported")
END
