"""Hold one worker's parts of experiments together."""

from serving.gateway.experiments.cache import ExperimentCache
from serving.gateway.experiments.judge import Judge
from serving.gateway.experiments.recorder import Recorder
from serving.gateway.experiments.shadow import Shadow
from serving.gateway.inference.tf_serving.client import ModelServer
from serving.gateway.store.store import Store
from serving.gateway.telemetry.metrics import Metrics


class Experiments:
    """The store, the cache of its experiments, and the background threads that record and shadow."""

    def __init__(self, store: Store, server: ModelServer, metrics: Metrics) -> None:
        """Prepare; connections and threads start with the first request."""
        self.store = store
        self.cache = ExperimentCache(store, Judge(store).judge_all)
        self.recorder = Recorder(store, metrics.exposures_dropped.inc)
        self.shadow = Shadow(server, self.recorder.record, metrics.shadows_dropped.inc)

    def close(self) -> None:
        """Finish the work under way and write the queues, at the end of a worker."""
        self.cache.close()
        self.shadow.close()
        self.recorder.close()
        self.store.close()
