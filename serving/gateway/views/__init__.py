"""The HTTP API, one file an endpoint or a group of them."""
