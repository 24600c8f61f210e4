import pytest

from serving.gateway.experiments.outcomes import Guardrail


def test_a_guardrail_on_what_is_not_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="^There is no guardrail metric 'cost'; there are error_rate and slow.$"):
        Guardrail("cost", 0.5)


def test_slow_needs_its_threshold() -> None:
    with pytest.raises(ValueError, match="^The guardrail slow needs threshold_ms: how many milliseconds"):
        Guardrail("slow", 0.5)
