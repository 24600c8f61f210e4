"""Write logs as JSON, one object a line, to standard error."""

import logging
from typing import Any

import orjson

FORMAT = "pythonjsonlogger.json.JsonFormatter"


class LinesFormatter(logging.Formatter):
    """Formats a record whose message is a list of objects: each is one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        return "\n".join([orjson.dumps(line).decode() for line in record.msg])


def log_config(level: str) -> dict[str, Any]:
    """Return a configuration for logging.config.dictConfig: lines of at least `level`, all with the same UTC clock."""
    loggers = ("serving.gateway", "gunicorn.error", "py.warnings", "opentelemetry")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": FORMAT,
                "format": "%(levelname)s %(name)s %(message)s",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": "time",
            },
            "lines": {"()": LinesFormatter},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json"},
            "access": {"class": "logging.StreamHandler", "formatter": "lines"},
        },
        "loggers": {
            **{name: {"level": level.upper(), "handlers": ["stderr"], "propagate": False} for name in loggers},
            "access": {"level": "INFO", "handlers": ["access"], "propagate": False},
        },
        "root": {"level": "WARNING", "handlers": []},
    }
