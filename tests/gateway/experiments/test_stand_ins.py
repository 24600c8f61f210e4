"""Labels of answers that another arm gave."""

from typing import Any

import pytest

from serving.gateway.store.store import Store
from testing.trials import Trial, spec

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])

EVEN = 1 / 3, 1 / 3, 1 / 3


def counted(store: Store, assigned: int, source: str) -> tuple[Any, int]:
    """Label one image whose third arm is dead; return how often it counts, and how often it is a disagreement."""
    trial = Trial(store, spec(*EVEN, paired=True))
    (prediction,) = trial.send([assigned], [("2", "1", None)])
    trial.label({prediction: "1"}, source)
    found = trial.report()
    return found["counts"]["labelled"], found["counts"]["disagreements"]


@pytest.mark.parametrize(("assigned", "source", "counts"), [(0, "user", 1), (2, "user", 0), (2, "audit", 1)])
def test_a_volunteers_label_of_a_stand_ins_answer_is_no_evidence(
    store: Store, assigned: int, source: str, counts: int
) -> None:
    """Control would be served twice as often as the variant, so its errors would be reported twice as often."""
    assert counted(store, assigned, source) == (counts, 1)
