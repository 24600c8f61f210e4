"""Add to problems the members in which clients of other protocols look for an error."""

from collections.abc import Sequence
from http import HTTPStatus

from serving.gateway.errors import Fault, pointer

INFERENCE, FLAGS = "/v2", "/ofrep/v1/evaluate/flags"
MISSING_KEY = Fault(pointer("context", "targetingKey"), "Field required")


def protocol_members(path: str, status: int, detail: str, faults: Sequence[Fault]) -> dict[str, str]:
    """Return the further members of a problem with a request to `path`."""
    if path == INFERENCE or path.startswith(f"{INFERENCE}/"):
        return {"error": detail}
    if path == FLAGS or path.startswith(f"{FLAGS}/"):
        key = path[len(FLAGS) + 1 :]
        return {**({"key": key} if key else {}), "errorCode": _flag_error(status, faults), "errorDetails": detail}
    return {}


def _flag_error(status: int, faults: Sequence[Fault]) -> str:
    """Return the error code of the OpenFeature Remote Evaluation Protocol."""
    if status == HTTPStatus.NOT_FOUND:
        return "FLAG_NOT_FOUND"
    if status != HTTPStatus.BAD_REQUEST:
        return "GENERAL"
    if MISSING_KEY in faults:
        return "TARGETING_KEY_MISSING"
    return "INVALID_CONTEXT" if faults else "PARSE_ERROR"
