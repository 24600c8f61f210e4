#!/usr/bin/env bash
# gunicorn 27.0.1, worker class `asgi`: the listen queue holds 100 connections, whatever `--backlog` says.
#
# gunicorn opens the socket with the backlog that was asked for, then asyncio's create_server listens on it again with a
# default of its own. A worker of uvicorn-worker 0.4.0 passes the setting on.
# Seen, with --backlog=512 (needs `ss` of iproute2): asgi 100, uvicorn-worker 512.
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
import socket
import subprocess
import sys
import time
import urllib.request


def listen_queue(worker_class):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--worker-class={worker_class}", f"--bind=127.0.0.1:{port}", "--backlog=512", "--log-level=error"]
    gunicorn = subprocess.Popen([sys.executable, "-m", "gunicorn", *options, "application:app"])
    try:
        wait_for_answer(port)
        row = subprocess.check_output(["ss", "-Hltn", f"sport = :{port}"], text=True)
    finally:
        gunicorn.terminate()
        gunicorn.wait()
    return int(row.split()[2])


def wait_for_answer(port):
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
            return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


asgi, uvicorn = (listen_queue(each) for each in ("asgi", "uvicorn_worker.UvicornWorker"))
print(f"asgi {asgi}, uvicorn-worker {uvicorn}")
assert (asgi, uvicorn) == (100, 512), "the behaviour has changed"
END
