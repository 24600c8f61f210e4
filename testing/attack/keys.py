"""Calls that read or label, without a key and with a client's, where keys are on."""

import json
from typing import Any

from testing.attack.attackers import Attackers
from testing.attack.gateways import KEY, LABELLER, TOKEN
from testing.attack.seen import Seen
from testing.attack.wire import JSON, RAW, Reply, ask, bearer
from testing.machine import ROOT
from testing.running_gateway import Gateway
from testing.waiting import eventually

ADDRESS = "127.0.1.1"
NAME = "keys"
ARMS = [{"variant": variant, "weight": 0.5} for variant in ("plain", "dropout")]
EXPERIMENT = {"name": NAME, "control": "plain", "paired": True, "arms": ARMS}
IMAGE = bytes(783) + b"\7"
UNLOCKED = ("/metrics",)  # no key is for it here


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Read and label as nobody, as a client and as a labeller."""
    del attackers, seconds
    seen, port = Seen(), gateway.port
    post(port, "/experiments", TOKEN, EXPERIMENT)
    post(port, f"/experiments/{NAME}/start", TOKEN, {})
    prediction = eventually(lambda: _prediction(port), "a prediction of the experiment", seconds=30)
    for token, name, allowed in (("", "nobody", {401}), (KEY, "a client", {403}), (LABELLER, "a labeller", {200})):
        for path in called("get", prediction, by_clients=False):
            reply = ask(port, "GET", path, headers=bearer(token), address=ADDRESS)
            seen.expect_status(reply.status, allowed, f"GET {path} as {name}")
            if reply.status in (401, 403):
                seen.expect(b"base64" not in reply.body, f"GET {path} as {name} shows images")
    for path in called("post", prediction, by_clients=False):
        for token, name, allowed in (("", "nobody", {401}), (KEY, "a client", {401, 403})):
            seen.expect_status(post(port, path, token, {}).status, allowed, f"POST {path} as {name}")
    for source in ("user", "audit", "ground_truth"):
        label = {"prediction_id": prediction, "label": "7", "source": source}
        for token, name, allowed in (
            ("", "nobody", {401}),
            (KEY, "a client", {200, 201} if source == "user" else {403}),
        ):
            for body in (label, {"items": [label]}):
                status = status_of_label(post(port, "/feedback", token, body))
                seen.expect_status(status, allowed, f"a label of source {source} as {name}")
    status = status_of_label(post(port, "/feedback", LABELLER, {**label, "source": "ground_truth"}))
    seen.expect_status(status, {200, 201}, "a label of source ground_truth as a labeller")
    for path in called("post", prediction, by_clients=True):
        reply = ask(port, "POST", path, IMAGE, {"Content-Type": RAW}, address=ADDRESS)
        seen.expect_status(reply.status, {401}, f"POST {path} as nobody")
    return seen


def called(method: str, prediction: str, *, by_clients: bool) -> list[str]:
    """Return the paths that are not for everybody, and that clients may call, or may not, by the API's description."""
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    closed = {path: calls[method].get("security") for path, calls in paths.items() if method in calls}
    values = {"prediction_id": prediction, "version": "1", "key": NAME}
    return [
        path.format(**values, name="plain" if path.startswith(("/variants", "/v2")) else NAME)
        for path, security in closed.items()
        if security and path not in UNLOCKED and ({"key": ["predict"]} in security) is by_clients
    ]


def post(port: int, path: str, token: str, body: Any) -> Reply:
    """Send JSON."""
    headers = {"Content-Type": JSON, **bearer(token)}
    return ask(port, "POST", path, json.dumps(body).encode(), headers, address=ADDRESS)


def status_of_label(reply: Reply) -> int:
    """Return the status of a label: its own where it was sent as one of several."""
    items = json.loads(reply.body).get("items") if reply.status == 200 else None
    return items[0]["status"] if items else reply.status


def _prediction(port: int) -> str:
    """Return the id of a prediction, once the worker that answers knows the experiment."""
    headers = {"Content-Type": RAW, **bearer(KEY)}
    answer = json.loads(ask(port, "POST", f"/predict?experiment={NAME}", IMAGE, headers).body)
    return answer["predictions"][0]["id"] if "predictions" in answer else ""
