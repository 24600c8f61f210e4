"""Images are decoded in threads: large ones in one of their own, clients in turns, all in some time."""

import asyncio
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from serving.gateway.errors import TooManyRequests, Unavailable
from serving.gateway.imaging import decode, uploads
from serving.gateway.imaging.decoders import Decoders
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.raster import Raster
from serving.gateway.imaging.uploads import MEDIUM, Effort, Heavy, Upload, frame_uploads
from serving.gateway.settings import Settings
from testing.encoded import drawn, encode
from testing.waiting import PATIENCE

FORMAT = ImageFormat(height=28, width=28, framing="mnist")


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    made = Decoders(PATIENCE)
    yield made
    made.close()


def thread_for(pixels: int) -> Callable[[Effort], str]:
    """Return work that needs an effort for so many pixels and returns the name of its thread."""

    def work(effort: Effort) -> str:
        if pixels > effort.pixels:
            raise Heavy
        return threading.current_thread().name

    return work


def test_large_images_have_a_thread_of_their_own(decoders: Decoders) -> None:
    async def story() -> list[str]:
        return [await decoders.run("a", thread_for(pixels)) for pixels in (1, int(MEDIUM.pixels) + 1)]

    assert [name.rpartition("_")[0] for name in asyncio.run(story())] == ["decoder", "large decoder"]


@pytest.mark.skipif(sys.platform != "linux", reason="no priorities of threads")
def test_decoding_gives_way_to_the_event_loop(decoders: Decoders) -> None:
    def niceness(effort: Effort) -> int:
        if effort.pixels == MEDIUM.pixels:
            raise Heavy
        return os.getpriority(os.PRIO_PROCESS, 0)

    async def story() -> tuple[int, int, int]:
        small = await decoders.run("a", lambda effort: os.getpriority(os.PRIO_PROCESS, 0))
        return os.getpriority(os.PRIO_PROCESS, 0), small, await decoders.run("a", niceness)

    loop, small, large = asyncio.run(story())
    assert loop < small == large


def test_images_are_decoded_where_priorities_must_not_be_set(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    assert asyncio.run(decoders.run("a", lambda effort: "decoded")) == "decoded"


def test_a_small_image_does_not_wait_for_large_ones(decoders: Decoders) -> None:
    go_on = threading.Event()

    def large(effort: Effort) -> str:
        if effort.pixels == MEDIUM.pixels:
            raise Heavy
        assert go_on.wait(PATIENCE)
        return "large"

    async def story() -> list[str]:
        first = [asyncio.create_task(decoders.run("greedy", large)) for _ in range(8)]
        await decoders.run("good", thread_for(1))
        assert not any(each.done() for each in first)
        go_on.set()
        return await asyncio.gather(*first)

    assert asyncio.run(story()) == ["large"] * 8


def test_clients_take_turns_with_large_images(decoders: Decoders) -> None:
    order: list[str] = []
    go_on = threading.Event()

    def large(name: str) -> Callable[[Effort], None]:
        def work(effort: Effort) -> None:
            if effort.pixels == MEDIUM.pixels:
                raise Heavy
            assert go_on.wait(PATIENCE)
            order.append(name)

        return work

    async def story() -> None:
        greedy = [asyncio.create_task(decoders.run("greedy", large("greedy"))) for _ in range(12)]
        await decoders.run("greedy", thread_for(1))  # until all of them wait for the large thread
        good = asyncio.create_task(decoders.run("good", large("good")))
        await decoders.run("good", thread_for(1))
        go_on.set()
        await asyncio.gather(*greedy, good)

    asyncio.run(story())
    assert order.index("good") < 6


def test_a_client_leaves_a_thread_to_others(decoders: Decoders) -> None:
    go_on = threading.Event()

    async def story() -> None:
        slow = [asyncio.create_task(decoders.run("a", lambda effort: go_on.wait(PATIENCE))) for _ in range(4)]
        await asyncio.sleep(0)  # they ask first
        await decoders.run("b", thread_for(1))
        assert not any(each.done() for each in slow)
        go_on.set()
        assert all(await asyncio.gather(*slow))

    asyncio.run(story())


def test_of_one_client_few_wait() -> None:
    """They have a place in flight, of which others need some."""
    decoders, go_on = Decoders(PATIENCE, most_waiting=1), threading.Event()

    async def story() -> None:
        work = [asyncio.create_task(decoders.run("a", lambda effort: go_on.wait(PATIENCE))) for _ in range(3)]
        await asyncio.sleep(0)
        [refused], _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        assert isinstance(refused.exception(), TooManyRequests)
        await decoders.run("b", thread_for(1))
        go_on.set()
        await asyncio.wait(work)

    asyncio.run(story())
    decoders.close()


def test_waiting_for_a_turn_ends_in_time() -> None:
    decoders, go_on, begun = Decoders(0.05), threading.Event(), list[Effort]()

    def slow_work(effort: Effort) -> bool:
        begun.append(effort)
        return go_on.wait(PATIENCE)

    async def story() -> None:
        slow = [asyncio.create_task(decoders.run(client, slow_work)) for client in "ac"]
        while len(begun) < 2:
            await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="GATEWAY_DECODE_SECONDS"):
            await decoders.run("b", thread_for(1))
        go_on.set()
        assert all(await asyncio.gather(*slow))

    asyncio.run(story())
    decoders.close()


def test_decoding_ends_in_time_and_charges_the_pixels_before() -> None:
    charged: list[int] = []
    upload = Upload("/image", encode(drawn(7)))
    width, height = drawn(7).size
    effort = MEDIUM._replace(until=time.monotonic() - 1).charging(charged.append)
    with pytest.raises(Unavailable, match="send smaller images, or fewer in one request"):
        frame_uploads([upload] * 3, FORMAT, Settings.from_environ({}), effort)
    assert charged == [3 * width * height]


def test_images_that_go_elsewhere_are_not_charged_yet() -> None:
    charged: list[int] = []
    with pytest.raises(Heavy):
        frame_uploads(
            [Upload("/image", encode(drawn(7)))],
            FORMAT,
            Settings.from_environ({}),
            Effort(10**9, 1).charging(charged.append),
        )
    assert charged == []


def test_a_decoded_image_is_forgotten_before_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[weakref.ref[Image.Image | Raster]] = []
    read = decode.rasters

    def watched(image: Image.Image) -> Iterator[Raster]:
        assert all(other() is None for other in decoded)
        decoded.append(weakref.ref(image))
        for raster in read(image):
            decoded.append(weakref.ref(raster))
            yield raster

    monkeypatch.setattr(uploads, "rasters", watched)
    frame_uploads([Upload("/image", encode(drawn(7)))] * 3, FORMAT, Settings.from_environ({}))
    assert len(decoded) == 6
