"""Inference: from a request of either API to its answer."""
