"""Make a key for a client, a reader, a labeller, monitoring or an administrator.

python -m serving.gateway.commands.new_api_key [--scope SCOPE]
"""

import argparse
import secrets

from serving.gateway.access.api_keys import Scope, entry


def main() -> None:
    """Print a new key and its entry for GATEWAY_API_KEYS."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.gateway.commands.new_api_key",
        description="Make a key, and its entry for GATEWAY_API_KEYS.",
    )
    parser.add_argument(
        "--scope", choices=[*Scope], default=Scope.PREDICT,
        help="predict: predictions and users' labels; read: experiments, reports, the queue and labels; label: both, "
        "and labels that decide; metrics: /metrics; admin: everything (default: %(default)s)",
    )  # fmt: skip
    scope = Scope(parser.parse_args().scope)
    key = secrets.token_urlsafe(32)
    print(f"Give to the client alone:                 Authorization: Bearer {key}")
    print(f"Set for the gateway (commas between):     GATEWAY_API_KEYS={entry(key, scope)}")


if __name__ == "__main__":
    main()
