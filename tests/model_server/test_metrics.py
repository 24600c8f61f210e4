from serving.model_server.metrics import Metrics


def test_requests_are_counted_by_model_and_status() -> None:
    metrics = Metrics()
    for status in ("OK", "OK", "NOT_FOUND"):
        metrics.record("a", "Predict", "GRPC", status, 0.001)
    page = metrics.render()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert ':tensorflow:serving:request_count{model_name="a",status="OK"} 2\n' in page
    assert ':tensorflow:serving:request_count{model_name="a",status="NOT_FOUND"} 1\n' in page


def test_latencies_are_cumulative_microseconds_of_what_went_well() -> None:
    metrics = Metrics()
    metrics.record("a", "Predict", "REST", "OK", 10e-6)
    metrics.record("a", "Predict", "REST", "OK", 12e-6)
    metrics.record("a", "Predict", "REST", "OK", 1e9)
    metrics.record("a", "Predict", "REST", "INTERNAL", 12e-6)
    labels = 'model_name="a",API="Predict",entrypoint="REST"'
    lines = [line for line in metrics.render().splitlines() if "latency" in line]
    assert lines[0] == "# TYPE :tensorflow:serving:request_latency histogram"
    assert lines[1] == f':tensorflow:serving:request_latency_bucket{{{labels},le="10"}} 1'
    assert lines[2] == f':tensorflow:serving:request_latency_bucket{{{labels},le="18"}} 2'
    assert lines[-3] == f':tensorflow:serving:request_latency_bucket{{{labels},le="+Inf"}} 3'
    assert lines[-2] == f":tensorflow:serving:request_latency_sum{{{labels}}} 1000000000000022"
    assert lines[-1] == f":tensorflow:serving:request_latency_count{{{labels}}} 3"


def test_names_are_escaped() -> None:
    metrics = Metrics()
    metrics.record('a"\\\n', "Predict", "GRPC", "OK", 1)
    assert r'model_name="a\"\\\n",status="OK"' in metrics.render()
