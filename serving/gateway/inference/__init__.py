"""Inference: the model server asked in batches, guarded by circuit breakers, with a fallback."""
