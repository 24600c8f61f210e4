"""The short form of the simulated faults."""

import string

import pytest

from benchmarks.faults import FAULTS, simulated
from benchmarks.faults.rows import SHORT, never, seldom


@pytest.mark.slow
def test_no_fault_of_the_table_shows_and_all_are_simulated() -> None:
    rows = list(simulated(SHORT))
    assert [row for row in rows if not row.ok] == []
    assert sorted({row.letter for row in rows}) == list(FAULTS) == list(string.ascii_lowercase[:10])


def test_a_row_is_kept_within_its_bound() -> None:
    assert [seldom("a", "it", shown, 400).ok for shown in (0, 28, 29)] == [True, True, False]
    assert [never("a", "it", shown, 400).ok for shown in (0, 1)] == [True, False]
