import tracemalloc

import numpy as np
import pytest

from serving.gateway.experiments.planning import streams
from serving.gateway.experiments.planning.rates import rates_of
from serving.gateway.experiments.planning.simulation import simulate
from serving.gateway.experiments.planning.spec import PlanSpec


def test_units_with_many_cases_take_little_memory() -> None:
    spec = PlanSpec.model_validate(
        {"control_error": 0.3, "variant_error": 0.3, "disagreement": 0.5, "images_per_unit": 1000, "runs": 200,
         "max_labels": 30_000}
    )  # fmt: skip
    tracemalloc.start()
    simulate(spec, rates_of(spec), float("inf"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6


def test_kinds_of_units_keep_the_means() -> None:
    _, shares = streams.cases_of_a_unit(1000, 0.3)
    cases = np.arange(1.0, len(shares) + 1)
    kinds, (more, squares) = streams.in_kinds(shares, cases - 1, cases**2)
    assert len(kinds) <= streams.MOST_KINDS < len(shares)
    assert kinds.sum() == pytest.approx(1)
    assert kinds @ more == pytest.approx(shares @ (cases - 1))
    assert kinds @ squares == pytest.approx(shares @ cases**2)
