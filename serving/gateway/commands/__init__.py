"""Commands beside the server: `python -m serving.gateway.commands.NAME`."""
