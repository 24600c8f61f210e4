"""RPC: TF Serving's gRPC services."""
