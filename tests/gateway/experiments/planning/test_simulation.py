import time
import tracemalloc

from serving.gateway.experiments.planning.rates import rates_of
from serving.gateway.experiments.planning.simulation import simulate
from serving.gateway.experiments.planning.spec import PlanSpec


def test_units_with_many_cases_take_little_memory() -> None:
    spec = PlanSpec.model_validate(
        {"control_error": 0.3, "variant_error": 0.3, "disagreement": 0.5, "images_per_unit": 1000, "runs": 1000,
         "max_labels": 30_000}
    )  # fmt: skip
    tracemalloc.start()
    simulate(spec, rates_of(spec), time.monotonic() + 60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
