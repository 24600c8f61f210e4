import pytest

from serving.gateway.errors import NotFound
from serving.gateway.manifest import Manifest
from serving.gateway.routing import choose
from tests.gateway.conftest import MANIFEST

KNOWN = Manifest.model_validate(MANIFEST)


@pytest.mark.parametrize(("named", "expected"), [(None, "plain"), ("plain", "plain"), ("dropout", "dropout")])
def test_a_named_variant_answers_else_the_default(named: str | None, expected: str) -> None:
    route = choose(KNOWN, named, None)
    assert (route.variant.name, route.experiment) == (expected, None)


def test_an_unknown_variant_is_an_error_that_names_the_known() -> None:
    with pytest.raises(NotFound) as caught:
        choose(KNOWN, "l2", None)
    assert caught.value.detail == "There is no variant 'l2'; there are plain, dropout."


def test_an_unknown_experiment_is_an_error() -> None:
    with pytest.raises(NotFound) as caught:
        choose(KNOWN, None, "summer")
    assert caught.value.detail == "There is no experiment 'summer'; there are none."
