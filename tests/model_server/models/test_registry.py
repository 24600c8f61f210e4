"""The life cycle of versions, with servables that only say when they are closed: loading is the tests' to decide."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from grpc import StatusCode
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.errors import ServingError
from serving.model_server.models.lifecycle import State
from serving.model_server.models.registry import Registry
from testing import waiting

SECONDS = 10
eventually = partial(waiting.eventually, seconds=SECONDS)


class FakeServable:
    """Stands for a loaded version."""

    def __init__(self, name: str, version: int) -> None:
        self.name, self.version, self.closed = name, version, False

    def close(self) -> None:
        self.closed = True


class Loads:
    """Loads versions at once, but fails for those in `broken` and waits with those in `held`."""

    def __init__(self) -> None:
        self.broken: set[tuple[str, int]] = set()
        self.held: dict[tuple[str, int], threading.Event] = {}
        self.tries: list[tuple[str, int]] = []

    def __call__(self, name: str, version: int, path: str) -> Any:
        self.tries.append((name, version))
        if (name, version) in self.held:
            assert self.held[name, version].wait(SECONDS)
        if (name, version) in self.broken:
            raise OSError(f"{path} is broken")
        return FakeServable(name, version)


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def registry(loads: Loads) -> Iterator[Registry]:
    registry = Registry(loads, retries=0, retry_seconds=0)
    yield registry
    registry.close(timeout=SECONDS)


def config(root: Path, *names: str, fields: str = "") -> model_server_config_pb2.ModelServerConfig:
    models = " ".join(
        f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" {fields} }}'
        for name in names
    )
    return text_format.Parse(f"model_config_list {{ {models} }}", model_server_config_pb2.ModelServerConfig())


def publish(root: Path, name: str, *numbers: int) -> None:
    for number in numbers:
        (root / name / str(number)).mkdir(parents=True)


def states(registry: Registry, name: str) -> dict[int, int]:
    try:
        return {one.version: one.state for one in registry.statuses(model_pb2.ModelSpec(name=name))}
    except ServingError:
        return {}


def answering(registry: Registry, name: str) -> int:
    with registry.use(model_pb2.ModelSpec(name=name)) as servable:
        return servable.version


def test_the_latest_version_answers(registry: Registry, tmp_path: Path) -> None:
    publish(tmp_path, "a", 1, 10, 9)
    assert registry.configure(config(tmp_path, "a")) == {"a"}
    registry.wait_until_available({"a"}, cancelled=lambda: False)
    assert answering(registry, "a") == 10
    assert states(registry, "a") == {10: State.AVAILABLE}


def test_a_new_version_is_loaded_before_the_old_one_leaves(registry: Registry, loads: Loads, tmp_path: Path) -> None:
    publish(tmp_path, "a", 1)
    registry.configure(config(tmp_path, "a"))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})
    loads.held["a", 2] = threading.Event()
    publish(tmp_path, "a", 2)
    registry.scan()
    eventually(lambda: states(registry, "a") == {2: State.LOADING, 1: State.AVAILABLE})
    assert answering(registry, "a") == 1
    loads.held["a", 2].set()
    eventually(lambda: states(registry, "a") == {2: State.AVAILABLE, 1: State.END})
    assert answering(registry, "a") == 2


def test_a_call_under_way_keeps_its_version(registry: Registry, tmp_path: Path) -> None:
    publish(tmp_path, "a", 1)
    registry.configure(config(tmp_path, "a"))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})
    with registry.use(model_pb2.ModelSpec(name="a")) as servable:
        publish(tmp_path, "a", 2)
        registry.scan()
        eventually(lambda: states(registry, "a") == {2: State.AVAILABLE, 1: State.UNLOADING})
        assert not vars(servable)["closed"]
        spec = model_pb2.ModelSpec(name="a")
        spec.version.value = 1
        with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(a, 1\)"), registry.use(spec):
            pass
    eventually(lambda: states(registry, "a") == {2: State.AVAILABLE, 1: State.END})
    assert vars(servable)["closed"]


def test_a_broken_version_leaves_the_old_one_serving_and_delays_no_other(
    registry: Registry, loads: Loads, tmp_path: Path
) -> None:
    publish(tmp_path, "a", 1)
    publish(tmp_path, "b", 1)
    registry.configure(config(tmp_path, "a", "b"))
    eventually(lambda: states(registry, "a") == states(registry, "b") == {1: State.AVAILABLE})
    loads.broken.add(("a", 2))
    publish(tmp_path, "a", 2)
    publish(tmp_path, "b", 2)
    registry.scan()
    eventually(lambda: states(registry, "a") == {2: State.END, 1: State.AVAILABLE})
    eventually(lambda: states(registry, "b") == {2: State.AVAILABLE, 1: State.END})
    assert answering(registry, "a") == 1
    status = registry.statuses(model_pb2.ModelSpec(name="a"))[0].status
    assert (status.error_code, status.error_message) == (2, f"{tmp_path}/a/2 is broken")


def test_a_failed_version_is_tried_again_only_after_it_has_been_away(
    registry: Registry, loads: Loads, tmp_path: Path
) -> None:
    publish(tmp_path, "a", 1)
    loads.broken.add(("a", 1))
    registry.configure(config(tmp_path, "a"))
    eventually(lambda: states(registry, "a") == {1: State.END})
    registry.scan()
    registry.scan()
    assert loads.tries == [("a", 1)]
    (tmp_path / "a" / "1").rmdir()
    registry.scan()
    loads.broken.clear()
    publish(tmp_path, "a", 1)
    registry.scan()
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})


def test_a_failed_load_is_retried_and_shown_meanwhile(loads: Loads, tmp_path: Path) -> None:
    registry = Registry(loads, retries=2, retry_seconds=SECONDS)
    publish(tmp_path, "a", 1)
    loads.broken.add(("a", 1))
    registry.configure(config(tmp_path, "a"))

    def error() -> str:
        return registry.statuses(model_pb2.ModelSpec(name="a"))[0].status.error_message

    eventually(lambda: error() == f"{tmp_path}/a/1 is broken")
    assert states(registry, "a") == {1: State.LOADING}
    (tmp_path / "a" / "1").rmdir()
    registry.scan()  # a version that is no longer desired is not retried
    eventually(lambda: states(registry, "a") == {1: State.END})
    assert loads.tries == [("a", 1)]


def test_retries_end(loads: Loads, tmp_path: Path) -> None:
    registry = Registry(loads, retries=2, retry_seconds=0)
    publish(tmp_path, "a", 1)
    loads.broken.add(("a", 1))
    registry.configure(config(tmp_path, "a"))
    message = r"1 servable\(s\) did not become available: \{\{\{name: a version: 1\} due to error: .*a/1 is broken\}"
    with pytest.raises(ServingError, match=message):
        registry.wait_until_available({"a"}, cancelled=lambda: False)
    assert loads.tries == [("a", 1)] * 3


def test_a_missing_folder_holds_up_only_its_own_model(registry: Registry, tmp_path: Path, caplog: Any) -> None:
    publish(tmp_path, "b", 1)
    registry.configure(config(tmp_path, "a", "b"))
    eventually(lambda: states(registry, "b") == {1: State.AVAILABLE})
    assert f"Could not find base path {tmp_path}/a of model a: No such file or directory" in caplog.text
    publish(tmp_path, "a", 1)
    registry.scan()
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})


def test_a_model_that_is_no_longer_listed_leaves_and_may_come_back(registry: Registry, tmp_path: Path) -> None:
    publish(tmp_path, "a", 1)
    publish(tmp_path, "b", 1)
    registry.configure(config(tmp_path, "a", "b"))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})
    assert registry.configure(config(tmp_path, "b")) == set()
    eventually(lambda: states(registry, "a") == {1: State.END})
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(a\)"):
        answering(registry, "a")
    assert registry.configure(config(tmp_path, "a", "b")) == {"a"}
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})


def test_a_model_that_comes_back_while_it_is_unloaded_is_loaded_again(registry: Registry, tmp_path: Path) -> None:
    """Without another look at the folders."""
    publish(tmp_path, "a", 1)
    publish(tmp_path, "b", 1)
    registry.configure(config(tmp_path, "a", "b"))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})
    with registry.use(model_pb2.ModelSpec(name="a")) as first:
        registry.configure(config(tmp_path, "b"))
        eventually(lambda: states(registry, "a") == {1: State.UNLOADING})
        registry.configure(config(tmp_path, "a", "b"))
    registry.wait_until_available({"a", "b"}, cancelled=lambda: False)
    assert answering(registry, "a") == 1
    assert vars(first)["closed"]


@pytest.mark.parametrize("text", ["", 'model_config_list { config { name: "a" } }'])
def test_an_empty_or_bad_configuration_changes_nothing(registry: Registry, tmp_path: Path, text: str) -> None:
    publish(tmp_path, "a", 1)
    registry.configure(config(tmp_path, "a"))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})
    new = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    if text:
        with pytest.raises(ServingError, match="Illegal setting neither"):
            registry.configure(new)
    else:
        assert registry.configure(new) == set()
    registry.scan()
    assert answering(registry, "a") == 1


def test_labels_follow_the_configuration(registry: Registry, tmp_path: Path) -> None:
    publish(tmp_path, "a", 1, 2)
    policy = "model_version_policy { all {} }"
    label = 'version_labels { key: "stable" value: %d }'
    with pytest.raises(ServingError, match="Request to assign label to version 1 of model a"):
        registry.configure(config(tmp_path, "a", fields=f"{policy} {label % 1}"))
    assert states(registry, "a") == {}
    registry.configure(config(tmp_path, "a", fields=policy))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE, 2: State.AVAILABLE})
    registry.configure(config(tmp_path, "a", fields=f"{policy} {label % 1}"))
    with registry.use(model_pb2.ModelSpec(name="a", version_label="stable")) as servable:
        assert servable.version == 1
    registry.configure(config(tmp_path, "a", fields=policy))
    with (
        pytest.raises(ServingError, match="Unrecognized servable version label: stable") as caught,
        registry.use(model_pb2.ModelSpec(name="a", version_label="stable")),
    ):
        pass
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


def test_waiting_can_be_cancelled(registry: Registry, loads: Loads, tmp_path: Path) -> None:
    loads.held["a", 1] = threading.Event()
    publish(tmp_path, "a", 1)
    registry.configure(config(tmp_path, "a"))
    cancelled = threading.Event()
    waiting = threading.Thread(target=registry.wait_until_available, args=({"a"}, cancelled.is_set))
    waiting.start()
    cancelled.set()
    registry.wake()
    waiting.join(SECONDS)
    assert not waiting.is_alive()
    loads.held["a", 1].set()


def test_closing_waits_for_calls_under_way(loads: Loads, tmp_path: Path) -> None:
    registry = Registry(loads, retries=0, retry_seconds=0)
    publish(tmp_path, "a", 1)
    registry.configure(config(tmp_path, "a"))
    eventually(lambda: states(registry, "a") == {1: State.AVAILABLE})
    with registry.use(model_pb2.ModelSpec(name="a")) as servable:
        registry.close(timeout=0)
        assert not vars(servable)["closed"]
    registry.close(timeout=SECONDS)
    assert vars(servable)["closed"]
