#!/usr/bin/env bash
# tritonclient 2.73.0 (http): numbers that are no number go into the JSON of a request as NaN and Infinity.
#
# JSON has neither, so a strict server cannot read the request, and says so about its text, not about the tensor. With
# `binary_data=True`, the default, the same tensor is sent right.
# Seen: "data":[NaN,Infinity] in the body.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "tritonclient[http]==2.73.0" numpy==2.4.6 geventhttpclient==2.3.9
"$folder/venv/bin/python" - <<'END'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import tritonclient.http as triton

bodies = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"model_name": "digits", "outputs": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *others):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = triton.InferenceServerClient(f"127.0.0.1:{server.server_port}")
image = triton.InferInput("image", [2], "FP32")
image.set_data_from_numpy(numpy.array([numpy.nan, numpy.inf], numpy.float32), binary_data=False)
client.infer("digits", [image])
client.close()
server.shutdown()
print(bodies[0].decode())
assert b'"data":[NaN,Infinity]' in bodies[0], "the behaviour has changed"
END
