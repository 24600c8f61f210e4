"""The command `dropserve`."""
