"""An ASGI application that reads its request and does nothing: the ceiling of the gateway's server."""

from typing import Any

ANSWER = b'{"predictions":[]}'
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))],
}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer each request alike; refuse the lifespan protocol, as ASGI asks for."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send({"type": "http.response.body", "body": ANSWER})
