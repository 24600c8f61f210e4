#!/usr/bin/env bash
# a2wsgi 1.10.10 with Flask 3.1.3 under uvicorn 0.54.0: a streamed answer goes on after its client has gone.
#
# A WSGI server closes the iterable when it cannot send any more (PEP 3333), so that the application lets go of what it
# holds. Here the generator is read to its end, however long that takes, in one of a2wsgi's ten threads.
# Seen: the client leaves after the first bytes, and all 100 pieces are made before the generator is closed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: a2wsgi==1.10.10 flask==3.1.3 werkzeug==3.1.9 uvicorn==0.54.0
"$folder/venv/bin/python" - <<'END'
import socket
import threading
import time

import uvicorn
from a2wsgi import WSGIMiddleware
from flask import Flask, Response

PIECES, PIECE = 100, bytes(2**18)
flask = Flask(__name__)
made = []
gone, closed = threading.Event(), threading.Event()


@flask.get("/")
def stream():
    def pieces():
        try:
            for number in range(PIECES):
                made.append(number)
                yield PIECE
                gone.wait(10)
                time.sleep(0.01)
        finally:
            closed.set()

    return Response(pieces())


listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(WSGIMiddleware(flask), log_level="critical"))
threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
while not server.started:
    time.sleep(0.01)
with socket.create_connection(listener.getsockname()) as client:
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.recv(100)
gone.set()
ended = closed.wait(60)
server.should_exit = True
print(f"closed: {ended}; pieces made for a client that took the first bytes of the first: {len(made)} of {PIECES}")
assert ended and len(made) == PIECES, "the behaviour has changed"
END
