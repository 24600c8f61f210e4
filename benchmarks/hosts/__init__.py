"""Run three hosts in network namespaces, break them under load, and count what clients see."""
