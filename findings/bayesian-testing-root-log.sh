#!/usr/bin/env bash
# bayesian-testing 0.10.0: importing it takes away the application's own log.
#
# The import runs `logging.config.fileConfig` on a file that names the root logger. The root's handlers are removed, a
# handler to standard output takes their place, and the level becomes INFO. Import it before logging is set up.
# Seen: a root logger at ERROR with a handler of its own has another one, at INFO, after the import.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: bayesian-testing==0.10.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import io
import logging
import sys

ours = io.StringIO()
logging.basicConfig(stream=ours, level=logging.ERROR)
logging.error("before")
import bayesian_testing.experiments

logging.error("after")
root = logging.getLogger()
streams = [handler.stream for handler in root.handlers]
print(f"our log: {ours.getvalue()!r}; level {logging.getLevelName(root.level)}, handlers {root.handlers}")
assert "before" in ours.getvalue() and "after" not in ours.getvalue(), "the behaviour has changed"
assert root.level == logging.INFO and streams == [sys.stdout], "the behaviour has changed"
END
