#!/usr/bin/env bash
# grpcio 1.85.3: `time_remaining` of a call without a deadline is 9.2e18 seconds on a server; the documentation says None.
#
# Its docstring: "or None if no deadline was specified for the RPC". grpc.aio's servers do return None. Code that passes
# the time on, or adds it to a clock, works with deadlines alone.
# Seen: 9.223372035058794e+18 by grpc.server, None by grpc.aio.server.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: grpcio==1.85.3
"$folder/venv/bin/python" - <<'END'
import asyncio
import concurrent.futures

import grpc


def of_server():
    seen = []

    def answer(request, context):
        seen.append(context.time_remaining())
        return b""

    method = grpc.method_handlers_generic_handler("Digits", {"Ask": grpc.unary_unary_rpc_method_handler(answer)})
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1), handlers=[method])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.unary_unary("/Digits/Ask")(b"")
    server.stop(None).wait()
    return seen[0]


async def of_aio_server():
    seen = []

    async def answer(request, context):
        seen.append(context.time_remaining())
        return b""

    method = grpc.method_handlers_generic_handler("Digits", {"Ask": grpc.unary_unary_rpc_method_handler(answer)})
    server = grpc.aio.server(handlers=[method])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.unary_unary("/Digits/Ask")(b"")
    await server.stop(None)
    return seen[0]


documented = "or None if no deadline was specified" in " ".join(grpc.RpcContext.time_remaining.__doc__.split())
synchronous, aio = of_server(), asyncio.run(of_aio_server())
print(f"documented as None: {documented}; grpc.server: {synchronous}; grpc.aio.server: {aio}")
assert documented and synchronous > 1e18 and aio is None, "the behaviour has changed"
END
