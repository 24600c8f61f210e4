"""The server as a process: its start, its reloads and its end."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf import text_format
from grpc import StatusCode
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
)

from testing.machine import ROOT, free_port
from testing.running_model_server import START_SECONDS, Running, connected, launch, model_flags, running
from testing.saved_models import pixels_record, write_warmup
from testing.waiting import eventually

pytestmark = pytest.mark.slow

SECONDS = 120  # of patience, which a busy machine may need
State = get_model_status_pb2.ModelVersionStatus


def copy(source: Path, target: Path) -> None:
    """Publish a version as the training job does: written under a hidden name, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.parent / f".{target.name}"
    shutil.copytree(source, hidden)
    hidden.rename(target)


def predict(server: Running, name: str, value: float = 2) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    text = f"dtype: DT_FLOAT tensor_shape {{ dim {{ size: 1 }} }} float_val: {value}"
    text_format.Parse(text, request.inputs["x"])
    return server.prediction.Predict(request, timeout=SECONDS)


def states(server: Running, name: str) -> dict[int, int]:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    try:
        response = server.model.GetModelStatus(request, timeout=SECONDS)
    except grpc.RpcError:
        return {}
    return {one.version: one.state for one in response.model_version_status}


def ends(*flags: str) -> tuple[int, str]:
    """Run a server that must end by itself; return its exit code and its log."""
    process, _, _ = launch(*flags, stderr=subprocess.PIPE)
    try:
        _, text = process.communicate(timeout=START_SECONDS)
    finally:
        process.kill()
    return process.wait(), text


def test_a_broken_first_model_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "digits" / "1").mkdir(parents=True)
    code, text = ends(*model_flags("digits", tmp_path / "digits"))
    assert code == 255
    assert "Failed to start server. Error: 1 servable(s) did not become available: " in text
    assert "{name: digits version: 1} due to error: SavedModel file does not exist at: " in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("records", "message"),
    [
        pytest.param([pixels_record((1, 3))], "Input to reshape is a tensor with 3 values", id="one that fails"),
        pytest.param([pixels_record()] * 1001, "Number of warmup records exceeds the maximum (1000)", id="too many"),
    ],
)
def test_bad_warmup_records_fail_the_load(saved_models: Path, tmp_path: Path, records: list[Any], message: str) -> None:
    shutil.copytree(saved_models / "pixels", tmp_path / "pixels")
    write_warmup(tmp_path / "pixels" / "1", records)
    code, text = ends(*model_flags("pixels", tmp_path / "pixels"))
    assert code == 255
    assert message in text
    with running("--enable_model_warmup=false", *model_flags("pixels", tmp_path / "pixels")) as server:
        assert states(server, "pixels") == {1: State.AVAILABLE}


def test_a_broken_configuration_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text("improperly formatted file")
    code, text = ends(f"--model_config_file={tmp_path}/models.config")
    assert code == 255
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:1" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_port_that_is_taken_ends_the_server(saved_models: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = ends(*model_flags("pixels", saved_models / "pixels"), f"{flag}={port}")
    assert code == 255
    assert f"Failed to start server. Error: Cannot listen on 127.0.0.1:{port}" in text


def test_channel_arguments_and_a_unix_socket_are_taken(saved_models: Path, tmp_path: Path) -> None:
    flags = (
        "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb",
        f"--grpc_socket_path={tmp_path}/grpc.sock",
    )
    with running(*model_flags("half_plus", saved_models / "half_plus"), *flags) as server:
        assert predict(server, "half_plus").outputs["y"].float_val == [4.0]
        with connected(f"unix:{tmp_path}/grpc.sock") as channel:
            assert predict(Running("", "", channel), "half_plus").outputs["y"].float_val == [4.0]


def test_a_unix_socket_and_its_new_folder_are_for_its_user_alone(saved_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "grpc.sock"
    with running(*model_flags("half_plus", saved_models / "half_plus"), f"--grpc_socket_path={path}"):
        assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)] == [0o700, 0o600]


def test_no_client_can_change_the_models_unless_the_server_lets_them(saved_models: Path) -> None:
    with running(*model_flags("a", saved_models / "half_plus")) as server:
        for body in (b"", b"not a message"):
            call: Any = server.channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
            with pytest.raises(grpc.RpcError) as caught:
                call(body, timeout=SECONDS)
            assert caught.value.code() is StatusCode.PERMISSION_DENIED
            assert "or start the server with --allow_reload_config_rpc" in str(caught.value.details())
        assert states(server, "a") == {3: State.AVAILABLE}


def test_a_unix_socket_is_left_to_the_server_that_answers_there(saved_models: Path, tmp_path: Path) -> None:
    flag = f"--grpc_socket_path={tmp_path}/grpc.sock"
    with (
        running(*model_flags("first", saved_models / "half_plus"), flag),
        running(*model_flags("second", saved_models / "half_plus"), flag) as second,
        connected(f"unix:{tmp_path}/grpc.sock") as channel,
    ):
        assert predict(Running("", "", channel), "first").outputs["y"].float_val == [4.0]
        assert predict(second, "second").outputs["y"].float_val == [4.0]


def write_config(root: Path, *names: str) -> None:
    models = " ".join(
        f'config {{ name: "{name}" base_path: "{root}/{name}" model_platform: "tensorflow" }}' for name in names
    )
    # Written aside and renamed, so that no look at it finds half a file.
    (root / "new").write_text(f"model_config_list {{ {models} }}")
    (root / "new").rename(root / "models.config")


def test_files_are_read_anew(saved_models: Path, tmp_path: Path) -> None:
    copy(saved_models / "half_plus" / "00000002", tmp_path / "a" / "1")
    write_config(tmp_path, "a")
    flags = (
        f"--model_config_file={tmp_path}/models.config",
        "--model_config_file_poll_wait_seconds=0.1",
        "--file_system_poll_wait_seconds=0.1",
        "--max_num_load_retries=0",
    )
    with running(*flags) as server:
        copy(saved_models / "half_plus" / "3", tmp_path / "a" / "2")
        eventually(lambda: states(server, "a") == {1: State.END, 2: State.AVAILABLE})
        assert predict(server, "a").outputs["y"].float_val == [4.0]

        (tmp_path / "a" / "3").mkdir()  # a broken version leaves the old one serving
        eventually(lambda: states(server, "a") == {1: State.END, 2: State.AVAILABLE, 3: State.END})
        assert predict(server, "a").model_spec.version.value == 2

        copy(saved_models / "half_plus" / "3", tmp_path / "b" / "1")
        write_config(tmp_path, "a", "b")  # a new model is found
        eventually(lambda: states(server, "b") == {1: State.AVAILABLE})

        (tmp_path / "models.config").write_text("broken {")  # an unreadable list changes nothing
        copy(saved_models / "half_plus" / "3", tmp_path / "b" / "2")
        eventually(lambda: states(server, "b") == {1: State.END, 2: State.AVAILABLE})

        write_config(tmp_path, "b")  # a model that is no longer listed leaves
        eventually(lambda: states(server, "a")[2] == State.END)
        with pytest.raises(grpc.RpcError) as caught:
            predict(server, "a")
        assert caught.value.code() is StatusCode.NOT_FOUND


def test_models_are_replaced_by_a_call(saved_models: Path, tmp_path: Path) -> None:
    shutil.copytree(saved_models / "half_plus", tmp_path / "b")
    (tmp_path / "broken" / "1").mkdir(parents=True)
    with running("--allow_reload_config_rpc", *model_flags("a", saved_models / "half_plus")) as server:
        stub = model_service_pb2_grpc.ModelServiceStub(server.channel)

        def reload(name: str) -> None:
            request = model_management_pb2.ReloadConfigRequest()
            request.config.model_config_list.config.add(
                name=name, base_path=str(tmp_path / name), model_platform="tensorflow"
            )
            assert stub.HandleReloadConfigRequest(request, timeout=SECONDS).status.error_code == 0

        reload("b")
        assert predict(server, "b").outputs["y"].float_val == [4.0]
        eventually(lambda: states(server, "a") == {3: State.END})
        with pytest.raises(grpc.RpcError) as caught:
            reload("broken")
        assert caught.value.code() is StatusCode.UNKNOWN
        assert "1 servable(s) did not become available" in str(caught.value.details())
        with pytest.raises(grpc.RpcError) as caught:
            stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=SECONDS)
        assert caught.value.code() is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_calls_under_way_finish(saved_models: Path, sign: signal.Signals) -> None:
    patience = 240  # seconds; the run takes part of one, and a hundred times as long on a busy machine
    flags = model_flags("slow", saved_models / "slow")
    with running(*flags, f"--shutdown_grace_seconds={patience}") as server:
        assert server.process
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "slow"
        text_format.Parse("dtype: DT_INT64 tensor_shape { dim { size: 1 } } int64_val: 200000", request.inputs["n"])
        call = server.prediction.Predict.future(request, timeout=patience)
        # The answer to a later call on the same connection says that the first one is under way.
        assert states(server, "slow") == {1: State.AVAILABLE}
        assert not call.done()
        server.process.send_signal(sign)
        assert call.result().outputs["counted"].int64_val == [200000]
        assert server.process.wait(patience) == 0


def test_a_signal_that_comes_with_sigcont_is_not_lost(saved_models: Path) -> None:
    for _ in range(3):
        with running(*model_flags("half_plus", saved_models / "half_plus")) as server:
            assert server.process
            process = psutil.Process(server.process.pid)
            process.suspend()
            eventually(lambda process=process: process.status() == psutil.STATUS_STOPPED)  # type: ignore[misc]
            server.process.send_signal(signal.SIGCONT)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(SECONDS) == 0


def test_the_log_has_no_chatter(saved_models: Path) -> None:
    # Started the ordinary way, for the chatter would come from TensorFlow's import.
    port, rest_port = free_port(), free_port()
    ports = ["--host=127.0.0.1", f"--port={port}", f"--rest_api_port={rest_port}"]
    # Tests of training that ran before in this process have set a log level, which the server would respect.
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.model_server", *ports, *model_flags("half_plus", saved_models / "half_plus")],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        with connected(f"127.0.0.1:{port}", process):
            process.terminate()
            _, text = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    lines = [line.partition(" I ")[2] for line in text.splitlines()]
    assert [line.split()[0] for line in lines if line] == ["Loaded", "Running", "Exporting", "Unloaded"], text
    assert all(lines), text
