#!/usr/bin/env bash
# openfeature-provider-ofrep 0.3.0: an answer without `variant` or `reason`, or with a reason of its own, gets the default.
#
# OFREP's schema requires the value alone, and OpenFeature lets providers have reasons of their own. The error is
# GENERAL, and its message the missing key or the unknown reason alone.
# Seen: value "x" with all members is "x"; without `variant`, without `reason`, or for the reason HOLDOUT, the default.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: openfeature-provider-ofrep==0.3.0 \
  openfeature-sdk==0.10.0
"$folder/venv/bin/python" - <<'END'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider

ANSWERS = {
    "all": {"value": "x", "reason": "STATIC", "variant": "one"},
    "no_variant": {"value": "x", "reason": "STATIC"},
    "no_reason": {"value": "x", "variant": "one"},
    "own_reason": {"value": "x", "reason": "HOLDOUT", "variant": "one"},
}


class Flags(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.path.rpartition("/")[2]
        body = json.dumps({"key": key, **ANSWERS[key]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *others):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Flags)
threading.Thread(target=server.serve_forever, daemon=True).start()
api.set_provider(OFREPProvider(f"http://127.0.0.1:{server.server_port}"))
client = api.get_client()
seen = {key: client.get_string_details(key, "default") for key in ANSWERS}
server.shutdown()
for key, details in seen.items():
    print(f"{key}: {details.value!r}, error: {details.error_code}, {details.error_message}")
messages = [seen[key].error_message for key in ("no_variant", "no_reason", "own_reason")]
assert messages == ["'variant'", "'reason'", "'HOLDOUT'"], "the behaviour has changed"
assert seen.pop("all").value == "x", "the behaviour has changed"
assert {(each.value, each.error_code) for each in seen.values()} == {("default", "GENERAL")}, "the behaviour has changed"
END
