"""Labels outside experiments, more than are to be kept."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial

from testing.attack.attackers import Attackers
from testing.attack.gateways import KEY, folder_of
from testing.attack.seen import Seen
from testing.attack.wire import JSON, RAW, ask, bearer
from testing.machine import ROOT
from testing.running_gateway import Gateway
from testing.waiting import eventually

ADDRESS = "127.0.11.1"
MOST = 1000
REQUESTS, EACH = 15, 100  # of labels: few at once, so that others do not wait
BY_ITSELF_SECONDS = 100.0  # in which the gateway looks once
COMMAND = [sys.executable, "-m", "serving.gateway.commands.retention"]


def attack(gateway: Gateway, attackers: Attackers, seconds: float) -> Seen:
    """Send labels, and wait until there are few enough."""
    del attackers, seconds
    seen = send(gateway)
    before = kept(gateway)
    seen.expect(before > MOST, f"only {before:,} labels were stored")
    try:
        eventually(lambda: kept(gateway) <= MOST, seconds=BY_ITSELF_SECONDS)
    except AssertionError:
        seen.faults.append(f"{kept(gateway):,} labels outside experiments are kept after {BY_ITSELF_SECONDS:.0f} s")
    seen.notes.append(f"{before:,} labels, then {kept(gateway):,}")
    return seen


def by_command(gateway: Gateway) -> Seen:
    """Send labels, and delete those above the bound by the command."""
    seen, folder = send(gateway), folder_of(gateway)
    settings = {"GATEWAY_DATABASE_URL": f"sqlite:///{folder}/experiments.db", "GATEWAY_MAX_LABELS": str(MOST)}
    done = subprocess.run(COMMAND, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True)
    seen.expect(done.returncode == 0, done.stderr)
    seen.expect(kept(gateway) <= MOST, f"{kept(gateway):,} labels outside experiments are kept; {MOST:,} may be")
    return seen


def send(gateway: Gateway) -> Seen:
    """Send labels of predictions outside experiments."""
    seen, key = Seen(), bearer(KEY)
    post = partial(ask, gateway.port, "POST", address=ADDRESS)
    for _ in range(REQUESTS):
        answer = json.loads(post("/predict?variant=plain", bytes(784 * EACH), {"Content-Type": RAW, **key}).body)
        items = [{"prediction_id": each["id"], "label": "7"} for each in answer["predictions"]]
        reply = post("/feedback", json.dumps({"items": items}).encode(), {"Content-Type": JSON, **key})
        seen.expect_status(reply.status, {200}, f"{EACH} labels")
    return seen


def kept(gateway: Gateway) -> int:
    """Return how many labels outside experiments the store holds."""
    file = f"file:{folder_of(gateway)}/experiments.db?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as connection:
        return connection.execute("SELECT COUNT(*) FROM feedback WHERE experiment_id IS NULL").fetchone()[0]
