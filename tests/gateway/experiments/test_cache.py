import threading

from serving.gateway.experiments.cache import ExperimentCache, Snapshot
from serving.gateway.store.store import Store


def test_a_look_under_way_is_finished_before_the_end(store: Store) -> None:
    looking, go_on = threading.Event(), threading.Event()
    seen: list[Snapshot] = []

    def look(snapshot: Snapshot) -> None:
        looking.set()
        go_on.wait()
        seen.append(snapshot)

    cache = ExperimentCache(store, look)
    threading.Thread(target=cache.current).start()
    looking.wait()
    threading.Timer(0.05, go_on.set).start()
    cache.close()
    assert len(seen) == 1
