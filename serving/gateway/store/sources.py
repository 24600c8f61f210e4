"""Rank the sources of labels: the truth over an auditor, an auditor over the person served."""

SOURCES = ("user", "audit", "ground_truth")
RANK = {source: rank for rank, source in enumerate(SOURCES)}
TRUSTED = RANK["audit"]  # the lowest rank of labels whose sender the gateway knows
UNREADABLE = "unreadable"  # a label for images that nobody can read


def outranks(source: str, other: str | None) -> bool:
    """Say whether a label from `source` replaces one from `other`; None is no label."""
    return other is None or RANK[source] > RANK[other]


def trusted(source: str | None) -> bool:
    """Say whether a label comes from an auditor or is the truth."""
    return source is not None and RANK[source] >= TRUSTED
