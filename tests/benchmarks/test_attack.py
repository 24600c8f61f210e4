"""`make attack`: which figures fail a part, and what is printed of it."""

import multiprocessing
import socket
from collections import Counter

import pytest

from benchmarks.attack import detail, parse, row
from testing.attack.measure import Outcome
from testing.attack.seen import Seen
from testing.attack.steady import Figures, Steady, figures
from testing.attack.watch import MOST_MEMORY
from testing.machine import free_port
from testing.open_loop import BROKEN, TimedAnswers

BEFORE = Figures(400, 10.0, Counter())


def judged(seen: Seen | None = None, *, during: Figures = BEFORE, peak: int = 0, lost: int = 0) -> Outcome:
    outcome = Outcome(seen or Seen(), BEFORE, during, peak, lost)
    outcome.judge()
    return outcome


def test_a_part_passes_where_all_is_right() -> None:
    seen = Seen(Counter({401: 1000, 0: 2}), notes=["a note"])
    outcome = judged(seen, during=Figures(400, 30.0, Counter()), peak=MOST_MEMORY)
    assert outcome.faults == []
    assert row("buffers", outcome).split() == (
        ["PASS", "buffers", "10.0", "30.0", "3.0×", "0", "250", "0", "401", "×", "1,000,", "none", "×", "2"]
    )
    assert detail(outcome) == "  a note"


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (
            judged(during=Figures(400, 31.0, Counter())),
            "the steady client's p99 is 31 ms, 3.1× that without disturbance",
        ),
        (judged(during=Figures(400, 10.0, Counter({503: 1}))), "the steady client gets errors: {503: 1}"),
        (judged(peak=MOST_MEMORY + 10**6), "a worker takes 251 MB; at most 250 are right"),
        (judged(lost=1), "1 workers are lost"),
        (judged(Seen(faults=["not 401"])), "not 401"),
        (judged(Seen(slow=["after 9 s"])), "after 9 s"),
    ],
)
def test_a_part_fails_and_says_why(outcome: Outcome, fault: str) -> None:
    assert outcome.faults == [fault]
    assert row("buffers", outcome).startswith("FAIL  buffers")
    assert detail(outcome) == f"  not right: {fault}"


def test_few_undisturbed_answers_prove_nothing() -> None:
    outcome = Outcome(Seen(), Figures(299, 10.0, Counter()), BEFORE)
    outcome.judge()
    assert outcome.faults == ["only 299 answers came to the steady client without disturbance"]


def test_figures_are_of_the_slices_between_two_moments() -> None:
    slices = [
        (1.0, TimedAnswers(Counter({200: 1}), [9.0])),
        (2.0, TimedAnswers(Counter({200: 98, 503: 1, BROKEN: 1}), [0.001] * 98 + [0.2, 0.1])),
        (3.0, TimedAnswers(Counter({429: 1}), [9.0])),
    ]
    assert figures(slices, after=1.0, until=2.0) == Figures(100, 200.0, Counter({503: 1, BROKEN: 1}))


@pytest.mark.slow
def test_a_steady_client_that_cannot_start_is_an_error() -> None:
    with pytest.raises(ChildProcessError, match="the steady client ended with exit code 1"):
        Steady(free_port(), "", connections=1)


@pytest.mark.slow
def test_a_steady_client_that_has_ended_is_an_error() -> None:
    others = multiprocessing.active_children()  # servers of other tests, which go on
    with socket.create_server(("127.0.0.1", 0)) as server, Steady(server.getsockname()[1], "", connections=1) as steady:
        (client,) = set(multiprocessing.active_children()).difference(others)
        client.kill()
        with pytest.raises(ChildProcessError, match="the steady client ended with exit code -9"):
            steady.finish()


def test_without_names_all_parts_run_and_unknown_ones_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parts = parse([]).parts
    assert parts[:2] == ["api", "images"] and len(parts) == 15
    assert parse(["buffers", "api"]).parts == ["buffers", "api"]
    with pytest.raises(SystemExit):
        parse(["nothing"])
    assert "there is no part 'nothing'; there are api, images, keys" in capsys.readouterr().err
