"""REST: TF Serving's HTTP API, from JSON to tensors and back."""
