"""Replies, for Flask and for the worker's event loop."""

from typing import Any, NamedTuple

import orjson
from flask import Response

Headers = list[tuple[str, str]]

JSON = "application/json"


class Reply(NamedTuple):
    """A status, headers and a body."""

    status: int
    headers: Headers
    body: bytes

    def response(self) -> Response:
        """Return it as Flask sends it."""
        return Response(self.body, self.status, self.headers)


def as_json(body: dict[str, Any], status: int = 200, mimetype: str = JSON) -> Reply:
    """Return `body`, in which arrays of numpy may be, as JSON."""
    return Reply(status, [("Content-Type", mimetype)], orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY))
