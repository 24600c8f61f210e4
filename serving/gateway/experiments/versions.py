"""Open a new phase of an experiment where a variant has a new version: evidence on the old one is not on the new."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Row

from serving.gateway.experiments.cache import Watched
from serving.gateway.experiments.lifecycle import GATEWAY
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.manifest import Manifest
from serving.gateway.store import experiments
from serving.gateway.store.store import Store

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 10.0  # from one phase to the next
BACK_SECONDS = 900.0  # to older versions, which gateways that are upgraded in turn see for as long as that takes


def follow(
    store: Store,
    watched: Sequence[Watched],
    manifest: Callable[[], Manifest | None],
    settle: float = SETTLE_SECONDS,
    back: float = BACK_SECONDS,
) -> None:
    """Have the phases of running and paused experiments keep up with the published versions.

    A phase lasts `settle` seconds at least; `back` seconds where the next one has an older version of a variant.
    """
    published = manifest()
    for each in watched:
        if published and published.versions(each.versions) != each.versions:
            with store.write() as connection:
                held = experiments.find(connection, each.name, hold=True)
                newest = manifest()  # read under the lock: another worker may have seen a newer one
                if held and newest and held.status in experiments.UNDER_WAY:
                    _follow(connection, held, newest, settle, back)


def _follow(connection: Connection, experiment: Row, manifest: Manifest, settle: float, back: float) -> None:
    phase = experiments.phases_of(connection, experiment.id)[-1]
    variants = ExperimentSpec.model_validate(experiment.spec).variants
    before = dict(zip(variants, phase.versions, strict=True))
    now = manifest.versions(before)
    older = any((now[variant] or 0) < (before[variant] or 0) for variant in variants)
    lasts = back if older else settle
    if now == before or (phase.versions.count(None) == 0 and time.time() < phase.started_at + lasts):
        return
    versions = [now[variant] for variant in variants]
    if all(before[variant] in (None, now[variant]) for variant in variants):
        experiments.set_versions(connection, experiment.id, phase.epoch, versions)
        return
    number = experiments.open_phase(connection, experiment.id, phase.weights, phase.traffic, versions)
    experiments.change(connection, experiment.id, verdict=None)
    reason = _reason(before, now, number, experiment.verdict)
    logger.info("experiment %s: %s", experiment.name, reason)
    experiments.log(connection, GATEWAY, "version", experiment.name, reason)


def _reason(
    before: Mapping[str, int | None], now: Mapping[str, int | None], number: int, verdict: Mapping[str, str] | None
) -> str:
    """Return why a new phase begins, in a sentence or two."""
    changes = [
        f"{variant!r} has version {version} instead of {before[variant]}"
        for variant, version in now.items()
        if before[variant] not in (None, version)
    ]
    reason = f"{' and '.join(changes)}, so phase {number} begins, and evidence on other versions does not count in it."
    if verdict:
        reason += f" The verdict {verdict['recommendation']!r} on the earlier versions is cleared."
    return reason
