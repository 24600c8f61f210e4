"""What other threads have the event loop's thread do."""

import asyncio
from collections.abc import Callable
from threading import Thread, get_ident
from typing import Any

from serving.model_server.rpc.mailbox import Mailbox


def test_what_is_posted_is_done_in_the_loops_thread() -> None:
    async def ask() -> int:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        mailbox = Mailbox(loop)
        thread = Thread(target=mailbox.post, args=(lambda: done.set_result(get_ident()),))
        thread.start()
        thread.join()
        return await done

    assert asyncio.run(ask()) == get_ident()


def test_what_comes_together_wakes_the_loop_once() -> None:
    async def post() -> tuple[int, list[int]]:
        loop, wakes, done = asyncio.get_running_loop(), [], list[int]()
        wake = loop.call_soon_threadsafe

        def count(callback: Callable[..., Any], *arguments: Any, **options: Any) -> asyncio.Handle:
            wakes.append(callback)
            return wake(callback, *arguments, **options)

        loop.call_soon_threadsafe = count  # type: ignore[method-assign, assignment]
        mailbox = Mailbox(loop)
        last = loop.create_future()
        for number in range(3):
            mailbox.post(done.append, number)
        mailbox.post(last.set_result, None)
        await last
        return len(wakes), done

    assert asyncio.run(post()) == (1, [0, 1, 2])
