"""Write logs as JSON, one object a line, to standard error."""

from typing import Any

FORMAT = "pythonjsonlogger.json.JsonFormatter"


def log_config(level: str) -> dict[str, Any]:
    """Return a configuration for logging.config.dictConfig: the gateway's and gunicorn's lines of at least `level`."""
    loggers = ("serving.gateway", "gunicorn.error", "py.warnings")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": FORMAT,
                "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {name: {"level": level.upper(), "handlers": ["stderr"], "propagate": False} for name in loggers},
        "root": {"level": "WARNING", "handlers": []},
    }
