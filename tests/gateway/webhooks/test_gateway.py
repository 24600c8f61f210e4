"""Webhooks of a real gateway, which is killed between a verdict and its delivery."""

from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from sqlalchemy import select, update

from serving.gateway.store.store import Store
from serving.gateway.store.tables import events, state
from testing.api import ADMIN
from testing.fake_model_server import FakeModelServer, shifted
from testing.running_gateway import Gateway, WarmGateway
from testing.traffic import PAIRED, RAW, images
from testing.waiting import PATIENCE, eventually
from testing.webhook_receiver import SECRET, WebhookReceiver

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])]
DECIDED = ["experiment.verdict", "variant.promoted"]


def decide(gateway: Gateway) -> None:
    """Run an experiment whose variant is always right, and control never, until its verdict is due."""
    with requests.Session() as session:
        session.headers.update(ADMIN)

        def post(path: str, **body: object) -> requests.Response:
            answer = session.post(f"{gateway.url}/{path}", **body, timeout=PATIENCE)  # type: ignore[arg-type]
            answer.raise_for_status()
            return answer

        post("experiments", json={**PAIRED, "on_decision": "promote"})
        post("experiments/test/start", json={})
        ids = [
            post("predict?experiment=test", data=images(3), headers={"Content-Type": RAW}).json()["predictions"][0][
                "id"
            ]
            for _ in range(40)
        ]
        post("feedback", json={"items": [{"prediction_id": id, "label": "3", "source": "audit"} for id in ids]})


def kept(store: Store) -> list[tuple[str, str, str]]:
    """Return id, type and state of each event, in order."""
    with store.read() as connection:
        rows = connection.execute(select(events.c.message, events.c.type, events.c.state).order_by(events.c.id))
        return [(row.message, row.type, row.state) for row in rows]


def kill(gateway: Gateway) -> None:
    """Kill every process of a gateway at once, as a machine that loses its power does."""
    processes = [psutil.Process(gateway.process.pid), *gateway.workers()]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, PATIENCE)


def test_no_event_is_lost_with_the_gateway(
    manifest_folder: Path, fake_server: FakeModelServer, database_url: str, store: Store
) -> None:
    fake_server.answer = shifted(fake_server.answer, {"plain"})
    with WebhookReceiver() as receiver:
        receiver.may_answer.clear()  # it takes nothing before the gateway has died
        settings: dict[str, Any] = {
            "workers": 2, "database_url": database_url, "webhook_url": receiver.url, "webhook_secret": SECRET,
            "webhook_allow": "127.0.0.1",
        }  # fmt: skip
        with WarmGateway(manifest_folder, fake_server.address, quiet=True, **settings) as gateway:
            decide(gateway)
            eventually(receiver.arrived.is_set, "the first attempt")
            kill(gateway)
        assert [(type, state) for _, type, state in kept(store)] == [(type, "waiting") for type in DECIDED]
        receiver.may_answer.set()
        with store.write() as connection:
            connection.execute(update(state).values(lease_until=0.0))  # as in time
        with WarmGateway(manifest_folder, fake_server.address, quiet=True, **settings):
            eventually(lambda: [state for *_, state in kept(store)] == ["delivered"] * 2, "all events to be delivered")
        arrived = [message.verified()["type"] for message in receiver.taken]
        assert arrived[-2:] == DECIDED  # the first may have come twice
        assert {message.id for message in receiver.taken} == {id for id, *_ in kept(store)}
