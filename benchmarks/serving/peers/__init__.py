"""What people would write instead of the gateway: small programs, one file each; they run in `.venv-peers`.

Each takes `{"instances": [28 × 28 pixels, …]}` or one PNG file, and answers
`{"predictions": [{"label": "7", "probabilities": […]}, …]}` from the SavedModel in the folder `PEER_MODEL`.
"""
