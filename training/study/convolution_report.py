"""The report's part on the convolutional suite."""

from training.study.reading import Tables


def sections(tables: Tables) -> list[str]:
    """Return the suite's sections."""
    return []
