#!/usr/bin/env bash
# gunicorn 27.0.1, worker class `asgi`: an idle keep-alive connection holds up SIGTERM for all of `graceful_timeout`.
#
# The connection has its answer and waits for no other; a worker of uvicorn-worker 0.4.0 closes it and ends at once.
# Seen, with a graceful_timeout of 6 s: asgi ended after 6.1 s, uvicorn-worker after 0.4 s.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: gunicorn==27.0.1 uvicorn==0.54.0 uvicorn-worker==0.4.0
cat > "$folder/application.py" <<'END'
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
END
cd "$folder"
venv/bin/python - <<'END'
import http.client
import socket
import subprocess
import sys
import time

GRACEFUL = 6


def seconds_to_stop(worker_class):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--worker-class={worker_class}", f"--bind=127.0.0.1:{port}", f"--graceful-timeout={GRACEFUL}"]
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "--keep-alive=60", "--log-level=error", "application:app"]
    )
    try:
        connection = answered(port)
        began = time.monotonic()
    finally:
        gunicorn.terminate()
        gunicorn.wait()
    seconds = time.monotonic() - began
    connection.close()
    return seconds


def answered(port):
    """Return a connection that has had one request and its answer, and stays open."""
    until = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/")
            assert connection.getresponse().read() == b""
            return connection
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)


asgi, uvicorn = (seconds_to_stop(each) for each in ("asgi", "uvicorn_worker.UvicornWorker"))
print(f"asgi ended after {asgi:.1f} s, uvicorn-worker after {uvicorn:.1f} s")
assert asgi >= GRACEFUL > uvicorn, "the behaviour has changed"
END
