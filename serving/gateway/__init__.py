"""The gateway: digits in over HTTP, the answer of a variant out."""

import logging.config
import os
from collections.abc import Mapping
from pathlib import Path

from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI

from serving.gateway.access import administrators as admin
from serving.gateway.access import admission as callers
from serving.gateway.access.cors import shared
from serving.gateway.access.in_flight import InFlight
from serving.gateway.access.proxies import behind_proxies
from serving.gateway.access.security_headers import secured
from serving.gateway.experiments.service import Experiments
from serving.gateway.inference.batching import Batcher
from serving.gateway.inference.breaker import GuardedModelServer
from serving.gateway.manifest import ManifestFile
from serving.gateway.settings import Settings, SettingsError
from serving.gateway.store.engine import UnusableDatabase
from serving.gateway.store.store import Store
from serving.gateway.telemetry.logs import log_config
from serving.gateway.telemetry.metrics import Metrics
from serving.gateway.telemetry.tracing import NoTracing, Tracing
from serving.gateway.views import (
    compare,
    documentation,
    experiments,
    feedback,
    health,
    page,
    predict,
    promotions,
    reports,
    study,
    variants,
)
from serving.gateway.views.shortcut import shortened
from serving.gateway.waits import Waits
from serving.gateway.web import problems, request_log
from serving.gateway.web.context import Gateway

VERSION = "0.1.0"
INFO = Info(
    title="dropserve",
    version=VERSION,
    description="Says which digit an image shows, by one variant of a classifier or by all of them side by side, "
    "and finds out from live traffic which variant is better.",
)
CANNOT_START = 4  # the exit status on which gunicorn gives up instead of starting the worker again


def create_app(environ: Mapping[str, str] | None = None) -> OpenAPI:
    """Build the application from the settings in `environ`, the process's own if not given; connect to nothing."""
    try:
        settings = Settings.from_environ(os.environ if environ is None else environ)
        store = Store(settings.database_url)
    except (SettingsError, UnusableDatabase) as error:
        os.write(2, f"{error}\n".encode())
        raise SystemExit(CANNOT_START) from error
    logging.config.dictConfig(log_config(settings.log_level))
    app = OpenAPI(
        __name__, info=INFO, doc_ui=False, security_schemes=admin.SCHEMES, validation_error_status="default",
        validation_error_model=problems.Problem, validation_error_callback=problems.invalid_parameters,
    )  # fmt: skip
    app.openapi_version = "3.1.0"  # what generators and testers of clients read
    request_log.register(app)
    app.extensions["gateway"] = services = _services(settings, store, _tracing(app, settings))
    if admit := callers.admission(settings, services.metrics):
        callers.register(app, admit)
    problems.register(app)
    for view in (predict, compare, variants, promotions, feedback, experiments, reports, health):
        app.register_api(view.blueprint)
    for blueprint in (page.blueprint, study.blueprint, documentation.blueprint, documentation.swagger_files()):
        app.register_blueprint(blueprint)
    if not settings.traces_endpoint:  # spans are of Flask's requests
        app.wsgi_app = shortened(app.wsgi_app, services, admit)  # type: ignore[method-assign, assignment]
    _wrap(app, settings)
    return app


def _services(settings: Settings, store: Store, tracing: Tracing) -> Gateway:
    deadline, waits, metrics = settings.deadline_ms / 1000, Waits(), Metrics()
    model_server = GuardedModelServer(settings.model_server, deadline, waits, metrics)
    return Gateway(
        settings=settings,
        manifest=ManifestFile(Path(settings.models_dir) / "manifest.json"),
        model_server=model_server,
        batcher=Batcher(model_server, waits, metrics, tracing, deadline),
        waits=waits,
        metrics=metrics,
        tracing=tracing,
        in_flight=InFlight(settings.max_in_flight, metrics),
        experiments=Experiments(store, model_server, metrics),
    )


def _tracing(app: OpenAPI, settings: Settings) -> Tracing:
    """Have requests followed, where that is wanted; a worker that does not has no OpenTelemetry in its memory."""
    if not settings.traces_endpoint:
        return NoTracing()
    from serving.gateway.telemetry.spans import Spans
    from serving.gateway.web import traces

    spans = Spans(settings.traces_endpoint)
    traces.register(app, spans)
    return spans


def _wrap(app: OpenAPI, settings: Settings) -> None:
    """Do what is done to every request and answer, whoever answers."""
    wrapped = secured(app.wsgi_app)
    if settings.cors_origins:
        wrapped = shared(wrapped, settings.cors_origins)
    if settings.trusted_proxies:
        wrapped = behind_proxies(wrapped, settings.trusted_proxies)
    app.wsgi_app = wrapped  # type: ignore[method-assign, assignment]
