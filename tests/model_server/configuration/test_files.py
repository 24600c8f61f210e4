from pathlib import Path

import pytest

from serving.model_server.batching.batch import BatchingParameters
from serving.model_server.configuration import files as config
from serving.model_server.configuration.settings import ConfigError, Settings


def test_one_model_is_named_by_flags() -> None:
    models = config.read_models(Settings(model_name="digits", model_base_path="/models/digits"))
    [model] = models.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("digits", "/models/digits", "tensorflow")


def test_models_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text('model_config_list { config { name: "a" } config { name: "b" } }')
    models = config.read_models(Settings(model_config_file=str(file)))
    assert [model.name for model in models.model_config_list.config] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"improperly formatted file", "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:1 "),
        (b"\xff", "Cannot read .*models.config: 'utf-8' codec can't decode byte 0xff"),
        (None, "Cannot read .*models.config: .* No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "models.config"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        config.read_models(Settings(model_config_file=str(file)))


def test_channel_arguments_are_handed_to_grpc() -> None:
    text = "grpc.max_connection_age_ms=2500,grpc.lb_policy_name=grpclb,grpc.max_concurrent_streams=-1"
    assert dict(config.channel_arguments(Settings(grpc_channel_arguments=text, grpc_max_message_bytes=10))) == {
        "grpc.max_receive_message_length": 10,
        "grpc.max_connection_age_ms": 2500,
        "grpc.lb_policy_name": "grpclb",
        "grpc.max_concurrent_streams": -1,
    }


def test_a_channel_argument_replaces_the_flag_of_its_own() -> None:
    settings = Settings(grpc_channel_arguments="grpc.max_receive_message_length=7,", grpc_max_message_bytes=10)
    assert config.channel_arguments(settings) == [("grpc.max_receive_message_length", 7)]


def test_a_channel_argument_without_a_value_is_named() -> None:
    with pytest.raises(ConfigError, match="--grpc_channel_arguments: 'zzz' is not key=value"):
        config.channel_arguments(Settings(grpc_channel_arguments="zzz"))


def batching(tmp_path: Path, text: str) -> BatchingParameters:
    file = tmp_path / "batching"
    file.write_text(text)
    return config.read_batching(Settings(enable_batching=True, batching_parameters_file=str(file)))


def test_batching_has_tf_servings_defaults(tmp_path: Path) -> None:
    given = batching(tmp_path, "num_batch_threads { value: 3 }")
    assert given == BatchingParameters(num_batch_threads=3, max_batch_size=1000, max_enqueued_batches=10)
    assert config.read_batching(Settings(enable_batching=True)).max_batch_size == 1000


def test_batching_parameters_are_read(tmp_path: Path) -> None:
    text = """max_batch_size { value: 8 } batch_timeout_micros { value: 2500 } max_enqueued_batches { value: 3 }
              num_batch_threads { value: 1 } thread_pool_name { value: "x" } allowed_batch_sizes: 2
              allowed_batch_sizes: 8 pad_variable_length_inputs: true"""
    assert batching(tmp_path, text) == BatchingParameters(1, 8, 0.0025, 3, (2, 8), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size is 0; it must be 1 or more"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", r"\[4\] must rise, and end with max_batch_size, .* 8"),
        ("zzz: 1", "Error parsing text-format tensorflow.serving.BatchingParameters: 1:1"),
    ],
)
def test_batching_parameters_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        batching(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('prometheus_config: { enable: true, path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ("prometheus_config { enable: false }", None),
        ("", None),
    ],
)
def test_prometheus_has_the_configured_path(tmp_path: Path, text: str, path: str | None) -> None:
    file = tmp_path / "monitoring"
    file.write_text(text)
    assert config.read_metrics_path(Settings(monitoring_config_file=str(file))) == path
