import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc
import pytest
from flask.testing import FlaskClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from testing.fake_model_server import FakeModelServer
from testing.machine import ROOT
from tests.gateway.conftest import MakeClient

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": "one"}
RAW = "application/octet-stream"


class Collector(HTTPServer):
    """Takes OTLP over HTTP, and keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1/traces"


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            assert "dropserve-gateway" in str(resource.resource)
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def traced(make_client: MakeClient, collector: Collector) -> FlaskClient:
    return make_client(traces_endpoint=collector.url)


def sent(client: FlaskClient, collector: Collector) -> dict[str, Span]:
    """Return the spans that were sent, by their names."""
    client.application.extensions["gateway"].tracing.close()
    return {span.name: span for span in collector.spans}


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_request_is_followed_from_its_caller_to_the_model_server(
    capfd: pytest.CaptureFixture[str], make_client: MakeClient, collector: Collector, fake_server: FakeModelServer
) -> None:
    traced = make_client(traces_endpoint=collector.url)
    told: list[str] = []

    def listen(context: grpc.ServicerContext) -> None:
        told.extend(str(value) for key, value in context.invocation_metadata() if key == "traceparent")

    fake_server.fault = listen
    assert traced.post("/predict?variant=plain", data=bytes(784), content_type=RAW, headers=HEADERS).status_code == 200
    spans = sent(traced, collector)
    request, call = spans["POST /predict"], spans["Predict"]
    assert request.trace_id.hex() == call.trace_id.hex() == TRACE
    assert (request.parent_span_id.hex(), call.parent_span_id) == (CALLER, request.span_id)
    assert (request.kind, call.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert told == [f"00-{TRACE}-{call.span_id.hex()}-01"]
    assert attributes(request) == {
        "http.request.method": "POST", "url.path": "/predict", "http.route": "/predict",
        "http.response.status_code": 200, "dropserve.request_id": "one", "dropserve.variant": "plain",
        "dropserve.version": "7", "dropserve.images": 1,
    }  # fmt: skip
    assert attributes(call)["dropserve.variant"] == "plain"
    assert f'"trace_id":"{TRACE}"' in capfd.readouterr().err


def test_without_a_caller_a_trace_begins_here(
    capfd: pytest.CaptureFixture[str], make_client: MakeClient, collector: Collector
) -> None:
    traced = make_client(traces_endpoint=collector.url)
    traced.get("/nowhere", headers={"traceparent": "00-xyz-01"})
    span = sent(traced, collector)["GET other"]
    assert span.parent_span_id == b""
    assert json.loads(capfd.readouterr().err.splitlines()[-1])["trace_id"] == span.trace_id.hex()


def test_long_fields_of_a_caller_are_as_if_absent(
    capfd: pytest.CaptureFixture[str], make_client: MakeClient, collector: Collector
) -> None:
    traced = make_client(traces_endpoint=collector.url)
    traced.get("/nowhere", headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "no member" * 100})
    assert sent(traced, collector)["GET other"].trace_id.hex() == TRACE
    assert "no member" not in capfd.readouterr().err


def test_what_failed_says_so(traced: FlaskClient, collector: Collector, fake_server: FakeModelServer) -> None:
    fake_server.stop()
    assert traced.post("/predict", data=bytes(784), content_type=RAW).status_code == 503
    spans = sent(traced, collector)
    assert {span.status.code for span in spans.values()} == {Status.STATUS_CODE_ERROR}
    assert "cannot be reached" in spans["Predict"].status.message


def test_requests_that_are_not_sampled_are_not_told_of(traced: FlaskClient, collector: Collector) -> None:
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
    assert traced.post("/predict", data=bytes(784), content_type=RAW, headers=headers).status_code == 200
    assert sent(traced, collector) == {}


def test_requests_that_travel_together_are_linked(traced: FlaskClient, collector: Collector) -> None:
    tracing = traced.application.extensions["gateway"].tracing
    begun = [tracing.begin("POST", str(at), {}) for at in range(3)]
    with tracing.call("plain", begun):
        pass
    for at, each in reversed(list(enumerate(begun))):
        tracing.end(each, str(at), 200, {})
    spans = sent(traced, collector)
    assert spans["Predict"].parent_span_id == spans["0"].span_id
    assert [link.span_id for link in spans["Predict"].links] == [spans["1"].span_id, spans["2"].span_id]


@pytest.mark.slow
def test_a_worker_that_follows_nothing_has_no_opentelemetry_in_its_memory() -> None:
    program = (
        "import sys; from serving.gateway import create_app; create_app({}); print('opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
