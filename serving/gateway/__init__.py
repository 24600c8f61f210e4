"""The gateway: images in over HTTP, a variant's answer out."""

import logging.config
import os
from collections.abc import Mapping

from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI

from serving.gateway.access import roles
from serving.gateway.access.admission import Admission
from serving.gateway.access.in_flight import InFlight
from serving.gateway.experiments.service import Experiments
from serving.gateway.imaging.decoders import Decoders
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.breaker import GuardedModelServer
from serving.gateway.inference.dispatch import Dispatch
from serving.gateway.learning.keeper import Keeper
from serving.gateway.manifest import ManifestFile
from serving.gateway.server.event_loop import EventLoop
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store
from serving.gateway.telemetry.fresh import Fresh
from serving.gateway.telemetry.journal import Journal
from serving.gateway.telemetry.logs import log_config
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.telemetry.tracing import tracing
from serving.gateway.views import (
    compare,
    documentation,
    events,
    experiments,
    exposures,
    feedback,
    flags,
    health,
    learning,
    open_inference,
    page,
    planning,
    predict,
    promotions,
    reports,
    study,
    variants,
)
from serving.gateway.web import predictions, problems, request_log
from serving.gateway.web.context import Gateway
from serving.gateway.webhooks.notifier import Notifier, Taker
from serving.gateway.webhooks.queues import QueueWatch
from serving.gateway.webhooks.signature import secrets_of

VERSION = "0.2.0"
INFO = Info(
    title="dropserve",
    version=VERSION,
    description="Says which digit an image shows, by one variant of a classifier or by all of them side by side, "
    "and finds out from live traffic which variant is better.",
)
OF_ONE_CLIENT = 4  # one client's images that wait for a decoder have this part of the places in flight
CANNOT_START = 4  # the exit status on which gunicorn gives up instead of starting the worker again


def create_app(environ: Mapping[str, str] | None = None) -> OpenAPI:
    """Build the Flask application from the settings in `environ`, by default the process's own; connect to nothing.

    It answers every endpoint by itself, under any WSGI server; a worker of `server/` answers predictions without it.
    """
    try:
        settings = Settings.from_environ(os.environ if environ is None else environ)
        logging.config.dictConfig(log_config(settings.log_level))
        store = Store(settings.database_url)
    except (SettingsError, UnusableDatabase) as error:
        os.write(2, f"{error}\n".encode())
        raise SystemExit(CANNOT_START) from error
    app = OpenAPI(
        __name__, info=INFO, doc_ui=False, security_schemes=roles.SCHEMES, validation_error_status="default",
        validation_error_model=problems.Problem, validation_error_callback=problems.invalid_parameters,
    )  # fmt: skip
    app.openapi_version = "3.1.0"  # what generators and testers of clients read
    app.extensions["gateway"] = _services(settings, store)
    app.url_map.converters["experiment"] = experiments.NameConverter
    request_log.register(app)
    problems.register(app)
    for view in (
        predict, compare, open_inference, variants, promotions, feedback, experiments, planning, reports,
        exposures, flags, events, learning, health,
    ):  # fmt: skip
        app.register_api(view.blueprint)
    for blueprint in (page.blueprint, study.blueprint, documentation.blueprint, documentation.swagger_files()):
        app.register_blueprint(blueprint)
    return app


def _services(settings: Settings, store: Store) -> Gateway:
    deadline, metrics, follow = settings.deadline_ms / 1000, Metrics(), tracing(settings.traces_endpoint)
    model_server = GuardedModelServer(settings.model_server, deadline, metrics)
    batcher, in_flight = Batcher(model_server, follow, deadline), InFlight(settings.max_in_flight, metrics)

    def sample() -> None:
        metrics.in_flight(in_flight.count)
        metrics.queued(batcher.queued)
        model_server.rest()

    waiting = max(1, settings.max_in_flight // OF_ONE_CLIENT)
    decoders, admission = Decoders(settings.decode_seconds, metrics.refused, waiting), Admission(settings, metrics)
    manifest = ManifestFile(settings.models_dir / "manifest.json")
    notifier = Notifier(store, _receiver(settings), QueueWatch(store, settings.queue_hours), metrics.webhook)
    services = Gateway(
        settings=settings,
        manifest=manifest,
        event_loop=EventLoop(),
        model_server=model_server,
        batcher=batcher,
        decoders=decoders,
        predictions=Dispatch(
            batcher,
            decoders,
            lambda call: call.request.account,
            lambda calls, later, effort: predictions.prepare(services, calls, later, effort),
            lambda answered: predictions.compose(services, answered),
        ),
        metrics=metrics,
        journal=Journal(metrics, settings.logs_access, sample),
        tracing=follow,
        in_flight=in_flight,
        admission=admission,
        readiness=Fresh(lambda: health.check_ready(services)),
        experiments=Experiments(store, batcher, metrics, manifest.newest, settings.retention, notifier),
        keeper=Keeper(store, settings.keep_labelled),
    )
    return services


def _receiver(settings: Settings) -> Taker | None:
    if not settings.webhook_url:
        return None
    # Loaded by those who use it: requests takes megabytes of each worker.
    from serving.gateway.webhooks.receiver import Receiver

    return Receiver(settings.webhook_url, secrets_of(settings.webhook_secret), settings.webhook_allow)
