"""TF Serving's gRPC protocol, as much of it as the gateway speaks."""
