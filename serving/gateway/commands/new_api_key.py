"""Make a key for clients: `python -m serving.gateway.commands.new_api_key`."""

import secrets

from serving.gateway.access.api_keys import digest


def main() -> None:
    """Print a new key, and what the gateway is to know of it."""
    key = secrets.token_urlsafe(32)
    print(f"The client sends, and nobody else is told:   Authorization: Bearer {key}")
    print(f"The gateway knows (commas between several):   GATEWAY_API_KEYS={digest(key)}")


if __name__ == "__main__":
    main()
