"""All that one worker keeps for experiments."""

from serving.gateway.experiments.judge import Judge
from serving.gateway.experiments.live import Live
from serving.gateway.experiments.recorder import Recorder
from serving.gateway.experiments.shadow import Shadow
from serving.gateway.inference.tf_serving.client import ModelServer
from serving.gateway.store.store import Store
from serving.gateway.telemetry.metrics import Metrics


class Experiments:
    """The store, what is known of it, and the threads that write and ask in the background."""

    def __init__(self, store: Store, server: ModelServer, metrics: Metrics) -> None:
        """Prepare; nothing is connected and no thread runs before the first request."""
        self.store = store
        self.live = Live(store, Judge(store).look)
        self.recorder = Recorder(store, metrics.exposures_dropped.inc)
        self.shadow = Shadow(server, self.recorder.record, metrics.shadows_dropped.inc)

    def close(self) -> None:
        """Finish what is under way and write what waits; for the end of a worker."""
        self.live.close()
        self.shadow.close()
        self.recorder.close()
        self.store.close()
