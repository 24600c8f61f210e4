#!/usr/bin/env bash
# tritonclient 2.73.0 (http): texts of an answer are bytes or str, as the client asked for binary data or for JSON.
#
# `as_numpy` gives an array of dtype object both times. So `labels[0] == "7"` holds for one and not for the other.
# Seen: b'7' where `binary_data=True`, the default; '7' where it is False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "tritonclient[http]==2.73.0" numpy==2.4.6 geventhttpclient==2.3.9
"$folder/venv/bin/python" - <<'END'
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import tritonclient.http as triton

RAW = struct.pack("<I", 1) + b"7"


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = json.loads(body[: int(self.headers["Inference-Header-Content-Length"])])
        binary = head["outputs"][0]["parameters"]["binary_data"]
        output = {"name": "label", "datatype": "BYTES", "shape": [1]}
        output |= {"parameters": {"binary_data_size": len(RAW)}} if binary else {"data": ["7"]}
        answer = json.dumps({"model_name": "digits", "outputs": [output]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer) + (len(RAW) if binary else 0)))
        if binary:
            self.send_header("Inference-Header-Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer + (RAW if binary else b""))

    def log_message(self, *others):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = triton.InferenceServerClient(f"127.0.0.1:{server.server_port}")
image = triton.InferInput("image", [2], "FP32")
image.set_data_from_numpy(numpy.ones(2, numpy.float32))
seen = {}
for binary in (True, False):
    answer = client.infer("digits", [image], outputs=[triton.InferRequestedOutput("label", binary_data=binary)])
    seen[binary] = answer.as_numpy("label")
    print(f"binary_data={binary}: {seen[binary]!r}")
client.close()
server.shutdown()
assert seen[True].dtype == seen[False].dtype == object, "the behaviour has changed"
assert (seen[True][0], seen[False][0]) == (b"7", "7"), "the behaviour has changed"
END
