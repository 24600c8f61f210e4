"""Run a command with the settings of the file `.env`, but for those that its caller gives.

    python -m serving.env_file COMMAND …

Values are taken as they stand there: nothing is expanded, as Docker Compose does with those in single quotes.
"""

import os
import sys

from dotenv import dotenv_values


def main() -> None:
    """Become the command."""
    settings = {name: value for name, value in dotenv_values(".env", interpolate=False).items() if value is not None}
    os.execvpe(sys.argv[1], sys.argv[1:], {**settings, **os.environ})


if __name__ == "__main__":
    main()
