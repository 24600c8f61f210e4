"""The services of one worker for experiments."""

from serving.gateway.experiments.judge import Judge
from serving.gateway.experiments.live import Live
from serving.gateway.experiments.recorder import Recorder
from serving.gateway.experiments.shadow import Shadow
from serving.gateway.inference.batching import Batcher
from serving.gateway.store.store import Store
from serving.gateway.telemetry.metrics import Metrics


class Experiments:
    """The store, its newest snapshot, the thread that writes exposures, and the shadow calls."""

    def __init__(self, store: Store, batcher: Batcher, metrics: Metrics) -> None:
        """Prepare; nothing is connected and no thread runs before the first request."""
        self.store = store
        self.live = Live(store, Judge(store).look)
        self.recorder = Recorder(store, metrics.exposures_dropped.inc)
        self.shadow = Shadow(batcher, self.recorder.record, metrics.shadows_dropped.inc)

    def close(self) -> None:
        """Write the exposures that wait and end the threads; for the end of a worker."""
        self.live.close()
        self.recorder.close()
        self.store.close()
