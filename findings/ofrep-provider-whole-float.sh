#!/usr/bin/env bash
# openfeature-provider-ofrep 0.3.0: a float flag whose value is 1 in JSON is a TYPE_MISMATCH, and gets the default.
#
# JSON knows numbers alone, and OFREP's schema of a float flag is `type: number`; many serializers write 1.0 as 1.
# So the arm 1.0 of an experiment between 1.0 and 0.5 is never served. A boolean flag's `true` is taken for an integer.
# Seen: 0.5 is 0.5; 1 is the default 9.5, with TYPE_MISMATCH; an integer flag of `true` is True, without an error.
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

VALUES = {"half": 0.5, "whole": 1, "truth": True}


class Flags(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.path.rpartition("/")[2]
        body = json.dumps({"key": key, "reason": "STATIC", "variant": "one", "value": VALUES[key]}).encode()
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
half, whole = (client.get_float_details(key, 9.5) for key in ("half", "whole"))
truth = client.get_integer_details("truth", 9)
server.shutdown()
for details in (half, whole, truth):
    print(f"{details.flag_key}: {details.value!r}, error: {details.error_code}")
assert half.value == 0.5 and truth.value is True and truth.error_code is None, "the behaviour has changed"
assert (whole.value, whole.error_code) == (9.5, "TYPE_MISMATCH"), "the behaviour has changed"
END
