"""A model server that speaks TF Serving's gRPC and REST protocols, for where TF Serving itself cannot run."""
