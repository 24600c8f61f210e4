"""Write moments as answers and messages have them: ISO 8601, in UTC."""

from datetime import UTC, datetime


def written(seconds: float, precision: str = "milliseconds") -> str:
    """Return a moment, in seconds since 1970, such as 2026-11-28T18:00:00.000Z; `precision` may be `seconds`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
