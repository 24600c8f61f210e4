import re

import pytest

from serving.model_server.configuration.settings import ConfigError, Settings, parse_settings

MODEL = ["--model_base_path=/models/one"]


def test_flags_come_before_the_environment_and_that_before_defaults() -> None:
    settings = parse_settings(
        ["--port=1", *MODEL], {"MODEL_SERVER_PORT": "2", "MODEL_SERVER_REST_API_PORT": "3", "PORT": "4"}
    )
    assert (settings.port, settings.rest_api_port, settings.model_name) == (1, 3, "default")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--enable_batching"], {}, True),
        (["--enable_batching=true"], {}, True),
        (["--enable_batching=false"], {"MODEL_SERVER_ENABLE_BATCHING": "1"}, False),
        ([], {"MODEL_SERVER_ENABLE_BATCHING": "TRUE"}, True),
        ([], {}, False),
    ],
)
def test_a_truth_is_written_as_tf_serving_writes_it(
    arguments: list[str], environment: dict[str, str], expected: bool
) -> None:
    assert parse_settings(arguments + MODEL, environment).enable_batching is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No model to serve: give --model_config_file or --model_base_path."),
        (["--batching_parameters_file=x", *MODEL], "--batching_parameters_file is set without --enable_batching."),
        (["--rest_api_port=8500", *MODEL], r"--rest_api_port cannot be same as --port \(8500\)"),
        (["--port=0", *MODEL], "Nothing to listen on: give --port, --grpc_socket_path or --rest_api_port."),
        (["--ssl_config_file=x", *MODEL], "--ssl_config_file is a flag that this server does not support: put a proxy"),
    ],
)
def test_contradictions_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_settings(arguments, {})


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--zzz=1"], {}, "'--zzz=1' is no flag of this server; --help lists them."),
        (["--port=x"], {}, "--port='x' cannot be used: it must be a whole number from 0 to 65535 (default 8500)."),
        ([], {"MODEL_SERVER_PORT": "65536"}, "MODEL_SERVER_PORT='65536' cannot be used: it must be a whole"),
        (["--grpc_max_threads=-1"], {}, "='-1' cannot be used: it must be a whole number from 0 to 2147483647 (d"),
        (
            ["--shutdown_grace_seconds=inf"],
            {},
            "='inf' cannot be used: it must be a number from 0 to 2147483647 (defau",
        ),
        (["--shutdown_grace_seconds=nan"], {}, "='nan' cannot be used"),
        ([f"--num_load_threads={'9' * 400}"], {}, "9' cannot be used: it must be a whole number from 0 to 2147483647"),
        (["--enable_batching=maybe"], {}, "='maybe' cannot be used: it must be true or false (default False)."),
    ],
)
def test_unusable_values_are_named(arguments: list[str], environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_settings(arguments + MODEL, environment)


def test_no_look_for_versions_is_a_negative_wait() -> None:
    settings = parse_settings(["--file_system_poll_wait_seconds=-1", *MODEL], {})
    assert settings.file_system_poll_wait_seconds == -1


def test_flags_that_only_the_real_one_has_a_use_for_are_taken() -> None:
    assert parse_settings(["--flush_filesystem_caches=false", *MODEL], {}) == Settings(model_base_path="/models/one")


def test_help_tells_of_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(["--help"], {})
    text = capsys.readouterr().out
    assert all(f"--{name}" in text for name in Settings.__dataclass_fields__)
