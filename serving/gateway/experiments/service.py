"""The services of one worker for experiments."""

from collections.abc import Callable

from serving.gateway.experiments import versions
from serving.gateway.experiments.cache import ExperimentCache, Snapshot
from serving.gateway.experiments.gauges import ExperimentGauges
from serving.gateway.experiments.judge import Judge
from serving.gateway.experiments.planning.planner import Planner
from serving.gateway.experiments.recorder import Recorder
from serving.gateway.experiments.retention import Retention
from serving.gateway.experiments.shadow import Shadow
from serving.gateway.inference.batching import Batcher
from serving.gateway.manifest import Manifest
from serving.gateway.store.retention import Quotas
from serving.gateway.store.store import Store
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.webhooks.notifier import Notifier


class Experiments:
    """The store, its newest snapshot, the threads that write, delete and deliver its rows, and the shadow calls."""

    def __init__(
        self,
        store: Store,
        batcher: Batcher,
        metrics: Metrics,
        manifest: Callable[[], Manifest | None],
        quotas: Quotas,
        notifier: Notifier,
    ) -> None:
        """Prepare; nothing is connected and no thread runs before the first request. `manifest` is the newest one."""
        self.store = store
        self.cache = ExperimentCache(store, self._watch)
        self._judge = Judge(store)
        self._manifest = manifest
        self.planner = Planner(store)
        self.retention = Retention(store, quotas)
        self.notifier = notifier
        metrics.add(ExperimentGauges(store, delivers=notifier.delivers))
        self.recorder = Recorder(store, metrics.exposures_dropped.inc)
        self.shadow = Shadow(batcher, self.recorder.record, metrics.shadows_dropped.inc)

    def close(self) -> None:
        """Write the exposures that wait and end the threads; for the end of a worker."""
        self.cache.close()
        self.retention.close()
        self.notifier.close()
        self.recorder.close()
        self.store.close()

    def _watch(self, snapshot: Snapshot) -> None:
        """Follow new versions of the variants, and judge; in the background, after each refresh."""
        versions.follow(self.store, snapshot.watched, self._manifest)
        self._judge.judge_all(snapshot.watched, self._manifest())
