"""Answers on their way from threads to the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int64Value
from grpc import StatusCode

from serving.model_server.errors import ServingError, invalid_argument
from serving.model_server.mailbox import Mailbox

SECONDS = 10


def test_an_answer_comes_from_a_thread() -> None:
    async def ask(threads: ThreadPoolExecutor) -> Any:
        return await Mailbox().answer_in(threads, lambda value: Int64Value(value=value), 7)

    with ThreadPoolExecutor(1) as threads:
        assert asyncio.run(ask(threads)) == Int64Value(value=7)


def test_what_is_raised_is_an_answer_too() -> None:
    def refuse() -> Message:
        raise invalid_argument("no")

    async def ask(threads: ThreadPoolExecutor) -> Any:
        return await Mailbox().answer_in(threads, refuse)

    with ThreadPoolExecutor(1) as threads:
        answer = asyncio.run(ask(threads))
    assert isinstance(answer, ServingError)
    assert (answer.code, answer.message) == (StatusCode.INVALID_ARGUMENT, "no")


def test_answers_that_come_together_wake_the_loop_once() -> None:
    async def post() -> tuple[int, list[Any]]:
        loop, wakes = asyncio.get_running_loop(), []
        wake = loop.call_soon_threadsafe

        def count(callback: Callable[..., Any], *arguments: Any, **options: Any) -> asyncio.Handle:
            wakes.append(callback)
            return wake(callback, *arguments, **options)

        loop.call_soon_threadsafe = count  # type: ignore[method-assign, assignment]
        mailbox = Mailbox()
        awaited = [mailbox.expect() for _ in range(3)]
        for number, future in enumerate(awaited):
            mailbox.post(future, Int64Value(value=number))
        return len(wakes), await asyncio.gather(*awaited)

    assert asyncio.run(post()) == (1, [Int64Value(value=number) for number in range(3)])


def test_a_call_is_not_run_when_its_client_has_gone() -> None:
    ran: list[int] = []

    def run(number: int) -> Message:
        ran.append(number)
        return Int64Value(value=number)

    async def ask(threads: ThreadPoolExecutor) -> None:
        mailbox, go_on = Mailbox(), Event()
        threads.submit(go_on.wait, SECONDS)
        mailbox.answer_in(threads, run, 1).cancel()
        last = mailbox.answer_in(threads, run, 2)
        go_on.set()
        await last

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(ask(threads))
    assert ran == [2]
