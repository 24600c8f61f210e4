#!/usr/bin/env bash
# grpcio 1.85.3, grpc.aio: a handler whose client has cancelled is never told so by its context.
#
# The handler's coroutine gets CancelledError, as it should. But `context.cancelled()` and `context.done()` are False
# then, and still False in the callback of `add_done_callback`, which runs because the call is over.
# Seen: "in the handler: cancelled False, done False" and "in the callback: cancelled False, done False".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: grpcio==1.85.3
"$folder/venv/bin/python" - <<'END'
import asyncio

import grpc


async def main():
    started, seen = asyncio.Event(), asyncio.Queue()

    async def wait(request, context):
        context.add_done_callback(lambda context: note("callback", context))
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            note("handler", context)
            raise

    def note(place, context):
        seen.put_nowait((place, context.cancelled(), context.done()))

    server = grpc.aio.server()
    handlers = {"Wait": grpc.unary_unary_rpc_method_handler(wait)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Service", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/Service/Wait")(b"")
        await asyncio.wait_for(started.wait(), 10)
        call.cancel()
        notes = sorted([await asyncio.wait_for(seen.get(), 10), await asyncio.wait_for(seen.get(), 10)])
    await server.stop(0)
    for place, cancelled, done in notes:
        print(f"in the {place}: cancelled {cancelled}, done {done}")
    assert notes == [("callback", False, False), ("handler", False, False)], "the behaviour has changed"


asyncio.run(main())
END
