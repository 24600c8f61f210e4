"""Experiments as feature flags; most is asked by OpenFeature's own provider, as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason

from serving.gateway.experiments import cache
from testing.api import ADMIN, json_of
from testing.asgi import predict_all
from testing.live import served
from testing.traffic import PAIRED, SPLIT, act, images, report, start
from tests.gateway.conftest import MakeClient

FLAGS = "/ofrep/v1/evaluate/flags"
UNITS = ["ada", "grete", "émile", "日本", *map(str, range(60))]


def with_values(name: str, *values: Any) -> dict[str, Any]:
    variants = ("plain", "dropout")
    arms = [{"variant": v, "weight": 0.5, "value": value} for v, value in zip(variants, values, strict=True)]
    return {**SPLIT, "name": name, "arms": arms}


@pytest.fixture
def provider(client: FlaskClient) -> Iterator[OpenFeatureClient]:
    """The SDK's client of a gateway over HTTP."""
    with served(client.application) as url, of_sdk(url) as made:
        yield made


@contextmanager
def of_sdk(url: str) -> Iterator[OpenFeatureClient]:
    provider = OFREPProvider(url)
    api.set_provider(provider)
    yield api.get_client()
    provider.session.close()
    api.clear_providers()


def of(unit: str) -> EvaluationContext:
    return EvaluationContext(targeting_key=unit, attributes={"country": "CH"})


def shown(details: FlagEvaluationDetails[Any]) -> tuple[Any, ...]:
    return details.value, details.variant, details.reason, details.error_code


def test_flags_of_every_type(client: FlaskClient, provider: OpenFeatureClient) -> None:
    values = {"b": (False, True), "i": (1, 2), "f": (1, 0.5), "o": ({"a": 1}, {"a": [2]}), "s": ("x", "y")}
    for name, pair in values.items():
        start(client, with_values(name, *pair))
    ask: dict[str, Any] = {
        "b": lambda unit: provider.get_boolean_details("b", True, unit),
        "i": lambda unit: provider.get_integer_details("i", 0, unit),
        "f": lambda unit: provider.get_float_details("f", 0.0, unit),
        "o": lambda unit: provider.get_object_details("o", {}, unit),
        "s": lambda unit: provider.get_string_details("s", "", unit),
    }
    for name, pair in values.items():
        seen = [shown(ask[name](of(unit))) for unit in UNITS[:12]]
        expected = [
            (value, variant, Reason.SPLIT, None) for value, variant in zip(pair, ("plain", "dropout"), strict=True)
        ]
        assert all(each in seen for each in expected) and all(each in expected for each in seen), name


def test_the_arm_is_the_one_that_predict_gives(client: FlaskClient, provider: OpenFeatureClient) -> None:
    start(client, {**SPLIT, "traffic": 0.8})
    answers = predict_all(client, "experiment=test", [images(1) for _ in UNITS], UNITS)
    details = [provider.get_string_details("test", "", of(unit)) for unit in UNITS]
    assert [each.value for each in details] == [answer["variant"] for answer in answers]
    given = {(each.reason, answer["experiment"]) for each, answer in zip(details, answers, strict=True)}
    assert given == {(Reason.SPLIT, "test"), (Reason.DEFAULT, None)}


def test_a_flag_that_is_off_gives_the_default_variant(client: FlaskClient, provider: OpenFeatureClient) -> None:
    start(client)
    act(client, "test", "pause")
    client.post("/experiments", json=with_values("off", 1, 2), headers=ADMIN)
    assert shown(provider.get_string_details("test", "x", of("ada"))) == ("plain", "plain", Reason.DISABLED, None)
    assert shown(provider.get_integer_details("off", 0, of("ada"))) == (1, "plain", Reason.DISABLED, None)
    client.post("/variants/dropout/promote", json={}, headers=ADMIN)
    assert provider.get_string_value("test", "x", of("ada")) == "dropout"
    assert provider.get_integer_value("off", 0, of("ada")) == 2


def test_errors_have_the_codes_of_the_protocol(client: FlaskClient, provider: OpenFeatureClient) -> None:
    start(client)
    unknown = provider.get_string_details("nothing", "x", of("ada"))
    assert (unknown.value, unknown.error_code) == ("x", ErrorCode.FLAG_NOT_FOUND)
    assert unknown.error_message == "There is no experiment 'nothing'; there are test."
    assert provider.get_string_details("test", "x").error_code is ErrorCode.TARGETING_KEY_MISSING
    assert provider.get_string_details("test", "x", of("a" * 201)).error_code is ErrorCode.INVALID_CONTEXT
    assert provider.get_boolean_details("test", True, of("ada")).error_code is ErrorCode.TYPE_MISMATCH
    for body, code in ((b"{", "PARSE_ERROR"), (b"{}", "TARGETING_KEY_MISSING"), (b'{"context": 1}', "INVALID_CONTEXT")):
        answer = client.post(f"{FLAGS}/test", data=body, content_type="application/json")
        assert (answer.status_code, json_of(answer)["key"], json_of(answer)["errorCode"]) == (400, "test", code)
    assert json_of(client.post(FLAGS, data=b"x"))["errorCode"] == "GENERAL"
    assert "errorCode" not in json_of(client.get("/nowhere"))


def test_the_provider_waits_where_it_comes_too_often(make_client: MakeClient) -> None:
    client = make_client(rate_limit=1, rate_burst=1)
    with served(client.application) as url, of_sdk(url) as provider:
        first, second, third = (provider.get_string_details("x", "", of("ada")) for _ in range(3))
    assert first.error_code is ErrorCode.FLAG_NOT_FOUND
    assert second.error_message == "Rate limited, retry after: 60"
    assert str(third.error_message).startswith("OFREP evaluation paused due to TooManyRequests until")


@pytest.mark.parametrize("path", [FLAGS, f"{FLAGS}/test"])
def test_flags_are_unavailable_until_the_store_has_been_read(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(cache, "FIRST_REFRESH_SECONDS", 0.0)
    client = make_client(database_url="postgresql://localhost:1/nobody")
    answer = client.post(path, json={"context": {"targetingKey": "ada"}})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert json_of(answer)["detail"] == "The store has not been read yet; try again shortly."


def test_all_flags_come_together_and_once(client: FlaskClient) -> None:
    start(client)
    client.post("/experiments", json={**PAIRED, "name": "draft"}, headers=ADMIN)
    start(client, {**SPLIT, "name": "over"})
    act(client, "over", "stop")
    body = {"context": {"targetingKey": "ada"}}
    answer = client.post(FLAGS, json=body)
    flags = json_of(answer)["flags"]
    assert [(each["key"], each["reason"]) for each in flags] == [("test", "SPLIT"), ("over", "DISABLED")]
    assert flags[0] == json_of(client.post(f"{FLAGS}/test", json=body))
    tag = {"If-None-Match": answer.headers["ETag"]}
    again = client.post(FLAGS, json=body, headers=tag)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    act(client, "test", "pause")
    assert client.post(FLAGS, json=body, headers=tag).status_code == 200


def test_no_exposure_is_counted(client: FlaskClient) -> None:
    start(client)
    client.post(f"{FLAGS}/test", json={"context": {"targetingKey": "ada"}})
    client.application.extensions["gateway"].experiments.recorder.close()
    assert [arm["units"] for arm in report(client)["arms"]] == [0, 0]


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ((1, None), "some arms have a value and some have none; give all of them one, or none"),
        ((1, "x"), "the values of the arms are of several types: number, string"),
        ((True, 1), "the values of the arms are of several types: boolean, number"),
        (("x" * 2000, "y"), "a value has 2,002 characters of JSON; at most 2,000 are taken"),
        ((2**64, 1), "a value cannot be sent: Integer exceeds 64-bit range"),
        (({"a": "\0"}, {}), "a value has a NUL character"),
        (({"a": float("nan")}, {}), "a value cannot be sent: Out of range float values are not JSON compliant"),
    ],
)
def test_values_are_of_one_type_and_can_be_sent(client: FlaskClient, values: tuple[Any, Any], detail: str) -> None:
    answer = client.post("/experiments", json=with_values("test", *values), headers=ADMIN)
    assert (answer.status_code, json_of(answer)["detail"][:-1].startswith(f"The body: {detail}")) == (422, True), (
        answer.text
    )
