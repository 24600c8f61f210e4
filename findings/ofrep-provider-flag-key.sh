#!/usr/bin/env bash
# openfeature-provider-ofrep 0.3.0: a flag's key goes into the address unquoted, so `price#2` gets the value of `price`.
#
# OpenFeature's keys are texts of any characters. What stands behind "#" never reaches the server, and what stands behind
# "?" reaches it as a query; the flag before it answers, without an error.
# Seen: "asked for price#2, the server saw /ofrep/v1/evaluate/flags/price".
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

paths = []


class Flags(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        paths.append(self.path)
        key = self.path.rpartition("/")[2]
        body = json.dumps({"key": key, "reason": "STATIC", "variant": "one", "value": f"the value of {key}"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *others):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Flags)
threading.Thread(target=server.serve_forever, daemon=True).start()
api.set_provider(OFREPProvider(f"http://127.0.0.1:{server.server_port}"))
details = api.get_client().get_string_details("price#2", "default")
print(f"asked for price#2, the server saw {paths[0]}; value: {details.value!r}, error: {details.error_code}")
assert paths == ["/ofrep/v1/evaluate/flags/price"] and details.value == "the value of price", "the behaviour has changed"
server.shutdown()
END
