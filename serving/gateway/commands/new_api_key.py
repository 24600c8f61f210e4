"""Make a key for a client or a labeller.

python -m serving.gateway.commands.new_api_key [--scope SCOPE]
"""

import argparse
import secrets

from serving.gateway.access.api_keys import Scope, entry


def main() -> None:
    """Print a new key and its entry for GATEWAY_API_KEYS."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.new_api_key", description="Make a key for a client or a labeller."
    )
    parser.add_argument(
        "--scope", choices=[*Scope], default=Scope.PREDICT, type=Scope,
        help="predict: opens /predict and /compare; label: also sends audit and ground_truth labels "
        "(default: %(default)s)",
    )  # fmt: skip
    key = secrets.token_urlsafe(32)
    print(f"Give to the client alone:                 Authorization: Bearer {key}")
    print(f"Set for the gateway (commas between):     GATEWAY_API_KEYS={entry(key, parser.parse_args().scope)}")


if __name__ == "__main__":
    main()
