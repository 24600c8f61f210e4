import pytest

from serving.gateway.access.api_keys import digest
from serving.gateway.access.callers import ADMIN, NOBODY, Caller, Callers
from serving.gateway.access.roles import Role
from serving.gateway.settings import Settings
from testing.api import json_of
from tests.gateway.conftest import MakeClient

TOKEN = "x" * 16


def callers(**settings: str) -> Callers:
    return Callers(Settings.from_environ({f"GATEWAY_{name.upper()}": value for name, value in settings.items()}))


def test_a_key_is_known_by_the_first_digits_of_its_digest() -> None:
    known = callers(api_keys=f"{digest('one')},read:{digest('one')},metrics:{digest('two')}", admin_token=TOKEN)
    assert known.find("one") == Caller(digest("one")[:12], frozenset({Role.CLIENT, Role.READER}))
    assert known.find("two") == Caller(digest("two")[:12], frozenset({Role.MONITOR}))
    assert known.find(TOKEN) == Caller(ADMIN, frozenset(Role))


@pytest.mark.parametrize("token", ["", "three", "One", digest("one"), digest("one")[:12], "é" * 1000, TOKEN[1:]])
def test_nobody_else_is(token: str) -> None:
    assert callers(api_keys=digest("one"), admin_token=TOKEN).find(token) is NOBODY


@pytest.mark.parametrize("token", ["", "a", "x" * 15])
def test_a_short_token_opens_nothing(make_client: MakeClient, token: str) -> None:
    assert not callers(admin_token=token).administrators
    answer = make_client(admin_token=token).post("/variants/rollback", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert json_of(answer)["detail"] == (
        "Nobody may do this: the gateway has no GATEWAY_ADMIN_TOKEN of 16 characters or more. Set it and restart."
    )


def test_the_shortest_token_that_opens(make_client: MakeClient) -> None:
    answer = make_client(admin_token=TOKEN).post("/variants/rollback", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 409
