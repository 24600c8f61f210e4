#!/usr/bin/env bash
# a2wsgi 1.10.10 with Flask 3.1.3 under uvicorn 0.54.0: a chunked request body reaches Flask empty.
#
# Flask reads a body without Content-Length only if the server sets `wsgi.input_terminated`; a2wsgi does not set it.
# Seen: five bytes posted with Content-Length are counted as 5; the same five, chunked, as 0. Both answers are 200.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: a2wsgi==1.10.10 flask==3.1.3 werkzeug==3.1.9 uvicorn==0.54.0
"$folder/venv/bin/python" - <<'END'
import http.client
import socket
import threading
import time

import uvicorn
from a2wsgi import WSGIMiddleware
from flask import Flask, request

flask = Flask(__name__)


@flask.post("/")
def count():
    return str(len(request.get_data()))


listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(WSGIMiddleware(flask), log_level="error"))
threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
while not server.started:
    time.sleep(0.01)


def post(body, **headers):
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
    connection.request("POST", "/", body, headers, encode_chunked=True)
    answer = connection.getresponse()
    return answer.status, answer.read()


whole = post(b"hello")
chunked = post(iter([b"hel", b"lo"]), **{"Transfer-Encoding": "chunked"})
server.should_exit = True
print("with Content-Length:", whole, " chunked:", chunked)
assert whole == (200, b"5") and chunked == (200, b"0"), "the behaviour has changed"
END
