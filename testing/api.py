"""Calls of a gateway's API."""

import json
from typing import Any

from werkzeug.test import TestResponse

ADMIN_TOKEN = "a-token-for-tests"
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


def json_of(answer: TestResponse) -> Any:
    """Return the JSON of an answer's body."""
    return json.loads(answer.data)
