"""Inference: what both APIs do with a request, from tensors to answers."""
