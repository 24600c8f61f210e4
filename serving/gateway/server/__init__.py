"""Server: how gunicorn and its workers serve the gateway."""
