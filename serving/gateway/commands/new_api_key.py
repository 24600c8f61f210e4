"""Make a key for a client: `python -m serving.gateway.commands.new_api_key`."""

import secrets

from serving.gateway.access.api_keys import digest


def main() -> None:
    """Print a new key and its digest."""
    key = secrets.token_urlsafe(32)
    print(f"Give to the client alone:                 Authorization: Bearer {key}")
    print(f"Set for the gateway (commas between):     GATEWAY_API_KEYS={digest(key)}")


if __name__ == "__main__":
    main()
