import threading

import gevent
import gevent.event
import gevent.socket
import pytest

from serving.gateway.server.greenlets import GreenletsWay


@pytest.fixture
def way() -> GreenletsWay:
    return GreenletsWay(gevent.get_hub(), threads=1)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_to_be_done_soon_waits_for_all_that_has_arrived(way: GreenletsWay, elsewhere: bool) -> None:
    here, there = gevent.socket.socketpair()
    seen: list[object] = []
    done = gevent.event.Event()

    def read() -> None:
        seen.append(here.recv(1))

    def soon() -> None:
        seen.append("soon")
        done.set()

    reading = gevent.spawn(read)
    gevent.sleep(0)  # it waits for the socket
    there.send(b"x")
    if elsewhere:
        thread = threading.Thread(target=way.soon, args=(soon,))
        thread.start()
        thread.join()
    else:
        way.soon(soon)
    assert done.wait(10)
    reading.join()
    assert seen == [b"x", "soon"]
    here.close()
    there.close()


def test_what_is_to_be_done_soon_is_done_though_a_socket_can_be_read_all_the_time(way: GreenletsWay) -> None:
    here, there = gevent.socket.socketpair()
    there.send(b"x")
    reading = gevent.get_hub().loop.io(here.fileno(), 1)
    reading.start(int)  # which does not read it
    for _ in range(3):
        done = gevent.event.Event()
        way.soon(done.set)
        assert done.wait(10)
    reading.close()
    here.close()
    there.close()


def test_a_greenlet_waits_for_a_thread_while_others_go_on(way: GreenletsWay) -> None:
    event = way.event()
    thread = threading.Thread(target=event.set)
    other = gevent.spawn(thread.start)
    assert event.wait(10)
    other.join()
    thread.join()


def test_what_takes_long_is_done_by_another_thread_and_raises_here(way: GreenletsWay) -> None:
    assert way.away(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        way.away(divmod, 1, 0)
