#!/usr/bin/env bash
# uvloop 0.23.0: its transports are no instances of asyncio.Transport, nor of asyncio.BaseTransport.
#
# Protocols get them in `connection_made`, annotated as such; a check that holds on asyncio's own loop fails on uvloop.
# Seen: _SelectorSocketTransport is one; uvloop.loop.TCPTransport is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: uvloop==0.23.0
"$folder/venv/bin/python" - <<'END'
import asyncio

import uvloop


async def transport():
    loop = asyncio.get_running_loop()
    made = loop.create_future()

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            made.set_result(transport)

    server = await loop.create_server(Server, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    found = await made
    writer.close()
    server.close()
    return found


seen = {}
for name, run in {"asyncio": asyncio.run, "uvloop": uvloop.run}.items():
    found = run(transport())
    seen[name] = isinstance(found, asyncio.Transport), isinstance(found, asyncio.BaseTransport)
    print(f"{name}: {type(found).__name__}; a Transport, a BaseTransport: {seen[name]}")
assert seen == {"asyncio": (True, True), "uvloop": (False, False)}, "the behaviour has changed"
END
