"""Tools that tests and benchmarks share: running servers, made-up traffic, image sets, waiting."""
