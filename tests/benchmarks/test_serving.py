"""The benchmark of serving: requests that it sends, answers that end it, and its judgement of figures."""

import argparse
import json
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving import against, wrk
from benchmarks.serving.__main__ import names_of
from benchmarks.serving.bodies import write_bodies
from benchmarks.serving.goals import RATE, goals, ratio
from benchmarks.serving.report import as_json, table
from benchmarks.serving.rounds import Measured, Result
from benchmarks.serving.servers import AGAINST, SERVERS, gateway, write_models
from benchmarks.serving.starts import Start
from testing.http_load import post
from testing.open_loop import BROKEN, Load
from testing.waiting import PATIENCE

IMAGES = np.random.default_rng(1).integers(0, 256, (1000, 28, 28), np.uint8)


class Stand(ThreadingHTTPServer):
    """A server that keeps the bodies it got, and answers with `status` once it may."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.bodies: list[bytes] = []
        self.fields: list[Message] = []
        self.status = 200
        self.may_answer = threading.Event()
        self.may_answer.set()


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece
    server: Stand

    def do_POST(self) -> None:
        self.server.fields.append(self.headers)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.may_answer.wait(PATIENCE)
        if not self.server.status:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stand() -> Iterator[Stand]:
    with Stand() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.may_answer.set()
        server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(not wrk.installed(), reason="wrk is not installed")
@pytest.mark.parametrize("kind", ["json", "png"])
def test_wrk_sends_the_bodies_in_turn(kind: str, stand: Stand, tmp_path: Path) -> None:
    bodies = write_bodies(IMAGES, tmp_path)[kind]
    result = wrk.run(f"http://127.0.0.1:{stand.server_port}/predict", bodies, 1, 1, {"Authorization": "Bearer key"})
    assert stand.fields[-1]["Authorization"] == "Bearer key"
    turn = 2 * list(bodies.bodies)
    first = turn.index(stand.bodies[0])  # wrk has tried the script before it connects
    assert stand.bodies[:5] == turn[first : first + 5]
    assert result.requests > 0 and 0 < result.p50_ms <= result.p99_ms


@pytest.mark.slow
@pytest.mark.skipif(not wrk.installed(), reason="wrk is not installed")
@pytest.mark.parametrize("status", [429, 0])
def test_wrk_fails_where_an_answer_is_no_success(status: int, stand: Stand, tmp_path: Path) -> None:
    stand.status = status
    with pytest.raises(RuntimeError, match=r"answered with an error and \d+ not at all"):
        wrk.run(f"http://127.0.0.1:{stand.server_port}/predict", write_bodies(IMAGES, tmp_path)["png"], 2, 1)


@pytest.mark.slow
def test_the_wait_for_a_pause_counts_for_every_request_that_was_due_in_it(stand: Stand) -> None:
    stand.may_answer.clear()
    load = Load(stand.server_port, [post("/predict", b"{}", "application/json")], connections=1, rate=200)
    assert load.run(0.3).times == []
    stand.may_answer.set()
    times: list[float] = []
    while len(times) < 60:
        times += load.run(0.05).times
    # Those of the first 0.2 s had to wait for 0.1 s at least; a loop that waits for its answers would have sent one.
    assert min(times[:40]) >= 0.1
    assert load.finish(PATIENCE).errors == 0


@pytest.mark.slow
def test_an_open_loop_goes_on_where_connections_end(stand: Stand) -> None:
    load = Load(stand.server_port, [post("/predict", b"{}", "application/json", "Connection: close")], 1, rate=100)
    assert (seen := load.run(0.5)).statuses[200] > 10 and seen.errors == 0
    stand.may_answer.set()
    stand.shutdown()
    stand.server_close()
    while not load.run(0.05).statuses[BROKEN]:
        pass


@pytest.mark.parametrize("status", [503, BROKEN])
def test_an_open_loop_counts_what_failed_by_status(status: int, stand: Stand) -> None:
    stand.status = status
    load = Load(stand.server_port, [post("/predict", b"{}", "application/json")], connections=2, rate=None)
    while not (seen := load.run(0.05)).times:
        pass
    assert seen.statuses[status] == seen.errors == seen.statuses.total() == len(seen.times)
    load.finish(PATIENCE)


def results(rate: float, p50: float, p99: float, http_us: float = 500) -> list[Result]:
    return [Result(rate * noise, p50, p99, 1000, http_us, 100) for noise in (1, 1.1, 0.9)]


MEASURED = Measured(
    results={
        "json:1": {"gateway": results(700, 1.4, 3), "against": results(800, 1, 2), "fastapi_tuned": results(2, 0.7, 2)},
        "json:64": {
            "gateway": results(3000, 20, 40, 300), "protected": results(2700, 22, 44),
            "keeping": results(2940, 20, 41),
            "against": results(2000, 30, 100, 500), "fastapi_tuned": results(2500, 30, 100),
            "fastapi_grpc": results(1000, 40, 80), "flask_grpc": results(1500, 60, 70), "noop": results(6000, 9, 20),
        },
        "raw:4": {"gateway": results(200, 5, 9), "against": results(210, 5, 9)},
    },
    memory={"gateway": 99, "against": 90},
    starts={"gateway": [Start(2, 6), Start(9, 20), Start(2.2, 7)], "against": [Start(2, 5), Start(1, 5), Start(3, 5)]},
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "beside", "figure", "reached"),
    [
        ("json:64, requests/s", "against", 1.5, True),
        ("json:64, requests/s", "fastapi_tuned", 1.2, True),
        ("json:64, requests/s", "fastapi_grpc", 3, True),
        ("json:64, requests/s", "flask_grpc", 2, False),
        ("json:64, p99, ms", "against", 0.4, True),
        ("json:64, HTTP worker, µs", "against", 0.6, True),
        ("json:1, p50, ms", "against (gateway 1.40, fastapi_tuned 0.70)", 1.4, True),
        ("raw:4, requests/s", "against", 200 / 210, False),
        ("protected, json:64, requests/s", "gateway", 0.9, False),
        ("keeping, json:64, requests/s", "gateway", 0.98, True),
        ("memory of a worker", "", 99, True),
        ("until it answers", "against", 1.1, True),
    ],
)
def test_goals(name: str, beside: str, figure: float, reached: bool) -> None:
    (goal,) = (goal for goal in goals(MEASURED) if (goal.name, goal.beside) == (name, beside))
    assert goal.figure == pytest.approx(figure) and goal.reached is reached


def test_a_ratio_is_taken_within_each_round() -> None:
    slow_then_fast, likewise = ([Result(rate, 1, 1, 1, 1, 1) for rate in rates] for rates in ((10, 60), (5, 20)))
    assert ratio(slow_then_fast, likewise, RATE) == 2.5


def test_figures_that_were_not_measured_have_no_goal() -> None:
    assert {goal.name for goal in goals(MEASURED)}.isdisjoint({"json:16, requests/s", "png:64, requests/s"})
    assert list(goals(Measured(results={"json:64": {"noop": results(1, 1, 1)}}))) == []


def test_the_report_names_every_goal_load_and_comparison() -> None:
    found = list(goals(MEASURED))
    servers = {**SERVERS, AGAINST: gateway("commit abc", Path("checkout"), Path("python"))}
    lines = {" ".join(line.split()) for line in table(MEASURED, servers, found).splitlines()}
    assert "json:64 FastAPI, async, session callable 2,500 2,250 2,750 30.00 100.0 500 100" in lines
    assert "beside commit abc this that ratio" in lines
    assert "json:64, requests/s 3,000.00 2,000.00 1.50×" in lines
    assert "gateway answers after, s 2.20 2.00 1.10×" in lines
    assert "json:64, requests/s 2.00× ≥ 3× missed flask_grpc" in lines
    assert len(json.loads(json.dumps(as_json(MEASURED, found, "l2")))["goals"]) == len(found)


def test_without_another_commit_nothing_is_compared() -> None:
    alone = Measured(results={"json:64": {"gateway": results(3000, 20, 40)}}, memory={"gateway": 99})
    assert "ratio" not in table(alone, SERVERS, list(goals(alone)))


def test_a_checkout_without_an_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"There is no environment in .*; make it: make -C .* \.venv/\.serve"):
        against.checkout(tmp_path)


def test_names_that_do_not_exist_are_refused() -> None:
    assert names_of(["a", "b"])("b,a") == ["b", "a"]
    with pytest.raises(argparse.ArgumentTypeError, match="there is no 'c'; there are a, b"):
        names_of(["a", "b"])("a,c")


def test_a_missing_variant_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"variants": []}')
    with pytest.raises(SystemExit, match=r"There is no variant 'l2' in .*; train it first: make train"):
        write_models(tmp_path, "l2", tmp_path / "one")
