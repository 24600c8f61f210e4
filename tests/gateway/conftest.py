import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from serving.gateway import create_app
from serving.gateway.experiments import cache, judge, recorder
from serving.gateway.learning import keeper
from serving.gateway.store.store import Store
from testing.api import ADMIN_TOKEN
from testing.databases import new_database, postgresql
from testing.fake_model_server import FakeModelServer
from testing.manifest import MANIFEST

MakeClient = Callable[..., FlaskClient]


@pytest.fixture(scope="session", autouse=True)
def routes_compiled_once() -> Iterator[None]:
    """Have all applications share their compiled routes, which take most of the time to make one."""
    compiled: dict[tuple[object, ...], dict[str, object]] = {}
    compile_anew = Rule.compile

    def compile_rule(rule: Rule) -> None:
        key = (rule.rule, rule.host, rule.subdomain, rule.merge_slashes, str(rule.defaults))
        if key not in compiled:
            before = dict(vars(rule))
            compile_anew(rule)
            compiled[key] = {name: each for name, each in vars(rule).items() if each is not before.get(name)}
        vars(rule).update(compiled[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compile_rule)
        yield


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the threads of an application look and write soon after there is something, since tests wait for it."""
    monkeypatch.setattr(judge, "INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(recorder, "FLUSH_SECONDS", 0.1)
    monkeypatch.setattr(cache, "REFRESH_SECONDS", 0.1)
    monkeypatch.setattr(keeper, "FLUSH_SECONDS", 0.1)


@pytest.fixture
def fake_server() -> Iterator[FakeModelServer]:
    server = FakeModelServer()
    yield server
    server.stop()


@pytest.fixture
def manifest_folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a real PostgreSQL, which does not wait for the disk."""
    with postgresql() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.url


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """The name of a database with the schema, whose copies spare tests the migrations."""
    with new_database(postgresql_server) as url:
        migrate(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, whose copies spare tests the migrations."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{file}")
    return file


def migrate(url: str) -> None:
    """Give a database the schema."""
    store = Store(url)
    with store.read():
        pass
    store.close()


@pytest.fixture
def database_kind() -> str:
    """The kind of database a test runs on; tests of both kinds are parametrized by it."""
    return os.environ.get("TEST_DATABASE", "sqlite")


@pytest.fixture
def database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that holds the schema and nothing else."""
    if database_kind == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "experiments.db")
        yield f"sqlite:///{tmp_path}/experiments.db"
    else:
        server, template = map(request.getfixturevalue, ("postgresql_server", "postgresql_template"))
        with new_database(server, f"TEMPLATE {template}") as url:
            yield url


@pytest.fixture
def bare_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without the schema."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path}/bare.db"
    else:
        with new_database(request.getfixturevalue("postgresql_server")) as url:
            yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store of its own."""
    made = Store(database_url)
    yield made
    made.close()


@pytest.fixture
def make_client(
    fake_server: FakeModelServer, manifest_folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeClient]:
    """Give a function that takes settings, such as `max_instances=2`, and returns a client of an app that has them."""
    # A prediction from before the first look cannot be labelled, and a busy machine may take its time for that look.
    monkeypatch.setattr(cache, "FIRST_REFRESH_SECONDS", 60.0)
    apps: list[Flask] = []

    def make(**settings: object) -> FlaskClient:
        given = {
            "models_dir": manifest_folder, "model_server": fake_server.address, "admin_token": ADMIN_TOKEN,
            "database_url": database_url, "deadline_ms": 20_000, **settings,
        }  # fmt: skip
        app = create_app({f"GATEWAY_{name.upper()}": str(value) for name, value in given.items()})
        apps.append(app)
        return app.test_client()

    yield make
    for app in apps:
        app.extensions["gateway"].close()


@pytest.fixture
def client(make_client: MakeClient) -> FlaskClient:
    return make_client()


@pytest.fixture
def keeping(make_client: MakeClient) -> FlaskClient:
    """A client of an application that keeps labelled images."""
    return make_client(keep_labelled=100)


@pytest.fixture
def nobody_else_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the gateway from looking at experiments by itself, but once at its start."""
    monkeypatch.setattr(judge, "INTERVAL_SECONDS", math.inf)


@pytest.fixture
def gateway_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The gateway's log, also after an application has taken its logger over."""
    logger = logging.getLogger("serving.gateway")
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.INFO, logger.name)
    return caplog
