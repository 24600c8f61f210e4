import threading

from serving.gateway.experiments.live import Live, Snapshot
from serving.gateway.store.store import Store


def test_a_look_under_way_is_finished_before_the_end(store: Store) -> None:
    looking, go_on = threading.Event(), threading.Event()
    seen: list[Snapshot] = []

    def look(snapshot: Snapshot) -> None:
        looking.set()
        go_on.wait()
        seen.append(snapshot)

    live = Live(store, look)
    threading.Thread(target=live.current).start()
    looking.wait()
    threading.Timer(0.05, go_on.set).start()
    live.close()
    assert len(seen) == 1
