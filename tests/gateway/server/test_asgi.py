"""Large bodies are read one part in a turn of the event loop."""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from serving.gateway.server.asgi import receive_body

BODIES, PARTS = 10, 5


def test_large_bodies_take_turns() -> None:
    """However many there are, a turn reads one part, and others are worked on before the next."""

    async def story() -> tuple[list[int], list[bytes]]:
        read_in_turn, large_parts = [0], asyncio.Lock()
        bodies = [asyncio.ensure_future(_read(large_parts, read_in_turn)) for _ in range(BODIES)]
        while not all(body.done() for body in bodies):
            await asyncio.sleep(0)
            read_in_turn.append(0)
        return read_in_turn, [body.result() for body in bodies]

    read, bodies = asyncio.run(story())
    assert sum(read) == BODIES * PARTS
    assert max(read[1:]) == 1  # the first parts came with the heads
    assert [len(body) for body in bodies] == [PARTS * (HIGH_WATER_LIMIT + 1)] * BODIES


def test_small_parts_wait_for_none() -> None:
    """A body that comes in small parts is read on while others take turns."""

    async def story() -> bytes:
        async with (large_parts := asyncio.Lock()):
            return await asyncio.wait_for(_read(large_parts, [0], HIGH_WATER_LIMIT), 20)

    assert len(asyncio.run(story())) == PARTS * HIGH_WATER_LIMIT


async def _read(large_parts: asyncio.Lock, read_in_turn: list[int], size: int = HIGH_WATER_LIMIT + 1) -> bytes:
    left = PARTS

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        read_in_turn[-1] += 1
        return {"type": "http.request", "body": bytes(size), "more_body": left > 0}

    return await receive_body(receive, large_parts)
