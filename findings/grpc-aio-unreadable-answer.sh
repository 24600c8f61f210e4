#!/usr/bin/env bash
# grpcio 1.85.3: an answer that its deserializer cannot read is None for grpc.aio, and an error for the rest of grpcio.
#
# The deserializer raises. The synchronous stub raises RpcError with INTERNAL, as gRPC's status codes have it. The
# asyncio stub logs the exception and returns None with status OK, so the caller goes on without an answer.
# Seen: "sync: INTERNAL" and "aio: None, OK".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: grpcio==1.85.3
"$folder/venv/bin/python" - 2> /dev/null <<'END'
import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc

METHOD = "/Service/Echo"


def refuse(message):
    raise ValueError("no message of mine")


async def ask(port):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD, response_deserializer=refuse)(b"")
        return await call, (await call.code()).name


server = grpc.server(ThreadPoolExecutor(1))
handlers = {"Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request)}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Service", handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    try:
        sync = channel.unary_unary(METHOD, response_deserializer=refuse)(b"")
    except grpc.RpcError as error:
        sync = error.code().name
aio, status = asyncio.run(ask(port))
server.stop(None).wait()
print(f"sync: {sync}")
print(f"aio: {aio}, {status}")
assert (sync, aio, status) == ("INTERNAL", None, "OK"), "the behaviour has changed"
END
