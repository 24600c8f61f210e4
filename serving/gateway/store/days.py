"""Count by day of exposure, and by delay of labels: whether the labels are in yet.

Days are since 1970, in UTC. A delay is counted in buckets; a doubling spans four.
"""

from math import ceil, log2

DAY_SECONDS = 24 * 3600
BUCKETS_AN_OCTAVE = 4
DELAY = "delay"  # labels that decide, by the assigned arm and the bucket of their delay
# By assigned arm and day of exposure:
UNITS = "units_of_day"
LABELLED = "labelled_of_day"  # units with an outcome, by the day of the image that gives it
DIFFERING = "differing_of_day"  # paired: images on which the arms disagree
DIFFERING_LABELLED = "differing_labelled_of_day"  # of them, those with a trusted label


def day(at: float) -> int:
    """Return the day of a moment, given in seconds."""
    return int(at // DAY_SECONDS)


def bucket(seconds: float) -> int:
    """Return the bucket of a delay; the first one holds all up to a second."""
    return ceil(BUCKETS_AN_OCTAVE * log2(max(seconds, 1.0)))


def upper_bound(bucket: int) -> float:
    """Return the most seconds in a bucket."""
    return 2.0 ** (bucket / BUCKETS_AN_OCTAVE)
