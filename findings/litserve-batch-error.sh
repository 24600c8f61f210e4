#!/usr/bin/env bash
# litserve 0.2.19: with `max_batch_size` above 1, an error about one request answers all requests of its batch.
#
# The batch is decoded as a whole. So a 400 that `decode_request` raises for a text instead of a number is also the answer
# to strangers' right requests that came at the same time; a client that retries on 5xx alone gives them up.
# Seen: of four requests at once, one of them without a number, all get 400 and the detail "x is no number".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: litserve==0.2.19 requests==2.34.2
cat > "$folder/serve.py" <<'END'
import os

import litserve
from fastapi import HTTPException


class Halve(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        if not isinstance(request["x"], int):
            raise HTTPException(400, "x is no number")
        return request["x"]

    def batch(self, inputs):
        return list(inputs)

    def predict(self, batch):
        return [x / 2 for x in batch]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"half": output}


if __name__ == "__main__":
    server = litserve.LitServer(Halve(max_batch_size=4, batch_timeout=30), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="critical")
END
cat > "$folder/ask.py" <<'END'
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests

with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
url = f"http://127.0.0.1:{port}"
serving = subprocess.Popen(
    [sys.executable, sys.argv[1]], env={**os.environ, "PORT": str(port)}, cwd=os.path.dirname(sys.argv[1]),
    stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
)
try:
    for _ in range(600):
        try:
            if requests.get(f"{url}/health", timeout=5).ok:
                break
        except requests.ConnectionError:
            pass
        time.sleep(0.1)

    def ask(x):
        answer = requests.post(f"{url}/predict", json={"x": x}, timeout=60)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(4) as pool:
        right, mixed = (list(pool.map(ask, xs)) for xs in ([1, 2, 3, 4], [1, 2, 3, "four"]))
finally:
    serving.send_signal(signal.SIGINT)
    serving.wait(60)
print("four numbers:", right)
print("three numbers and a text:", mixed)
assert [status for status, _ in right] == [200] * 4, "the behaviour has changed"
assert mixed == [(400, '{"detail":"x is no number"}')] * 4, "the behaviour has changed"
END
"$folder/venv/bin/python" "$folder/ask.py" "$folder/serve.py"
