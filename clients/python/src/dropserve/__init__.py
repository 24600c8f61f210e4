"""Ask a dropserve gateway, label its answers, and run its experiments."""

from dropserve.client import Client
from dropserve.errors import DropserveError, Failed, Refused, Unreachable
from dropserve.folders import FileAnswer, predict_files

__all__ = ["Client", "DropserveError", "Failed", "FileAnswer", "Refused", "Unreachable", "predict_files"]
