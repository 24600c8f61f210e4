#!/usr/bin/env bash
# uvicorn 0.54.0 with httptools 0.9.0: a POST that offers HTTP/2 (`Upgrade: h2c`) reaches the application without its body.
#
# Clients that try HTTP/2 without TLS, such as `curl --http2` and Java's HttpClient, send these fields with their first
# request; a server may ignore them (RFC 9110, section 7.8). With httptools uvicorn does, and drops the body in silence.
# Seen: five bytes are counted as 5; with the offer as 0 by httptools and as 5 by h11. All answers are 200.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
"$folder/venv/bin/python" - <<'END'
import http.client
import socket
import threading
import time

import uvicorn

OFFER = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}


async def count(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"%d" % size})


def counted(parser, headers):
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(count, http=parser, lifespan="off", log_level="error"))
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
    connection.request("POST", "/", b"hello", headers)
    answer = connection.getresponse()
    server.should_exit = True
    return answer.status, answer.read()


seen = {(parser, bool(offer)): counted(parser, offer) for parser in ("httptools", "h11") for offer in ({}, OFFER)}
for (parser, offers), answer in seen.items():
    print(f"{parser}, {'with' if offers else 'without'} the offer: {answer}")
assert seen.pop(("httptools", True)) == (200, b"0"), "the behaviour has changed"
assert set(seen.values()) == {(200, b"5")}, "the behaviour has changed"
END
