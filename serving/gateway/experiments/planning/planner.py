"""Answer calls for plans, one at a time."""

import threading
from typing import Any

from serving.gateway.errors import TooManyRequests
from serving.gateway.experiments.planning.pilot import completed
from serving.gateway.experiments.planning.plan import plan
from serving.gateway.experiments.planning.rates import rates_of
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.store.store import Store


class Planner:
    """Plans of one worker: a simulation takes all of a processor, so a second one is refused meanwhile."""

    def __init__(self, store: Store) -> None:
        """Prepare to read pilots from `store`."""
        self._store = store
        self._busy = threading.Lock()

    def plan(self, spec: PlanSpec) -> dict[str, Any]:
        """Return a plan; raise a GatewayError for unusable rates, an unknown pilot, or while another plan is made."""
        pilot = None
        if spec.pilot is not None:
            with self._store.read() as connection:
                spec, pilot = completed(connection, spec, spec.pilot)
        rates = rates_of(spec, pilot)
        if not self._busy.acquire(blocking=False):
            raise TooManyRequests("Another plan is being made; ask again in a few seconds.")
        try:
            return plan(spec, rates)
        finally:
            self._busy.release()
