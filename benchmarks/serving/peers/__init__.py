"""Programs that people would write instead of the gateway, one file each; they run in `.venv-peers`.

Each takes `{"instances": [28 × 28 pixels, …]}` or one PNG file, and answers
`{"predictions": [{"label": "7", "confidence": 0.99, "probabilities": […]}, …]}`. `PEER_MODEL` names the SavedModel's
folder, `models/VARIANT/VERSION`; `PEER_MODEL_SERVER` is the gRPC address of a model server that serves it.
"""
