"""Check the health of an experiment: its split, its labels and its answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from serving.gateway.experiments.outcomes import Design, PairCounts, PhaseCounts
from serving.gateway.experiments.sequential import log_e_shares, p_anytime

CONCENTRATION = 100.0
UNHEALTHY_FROM = 1000.0  # E: far rarer than α, since a false alarm ends an experiment
FEW_UNLABELLED = 0.05  # share of disagreements
MOST_STAND_INS = 0.02  # share of an arm's requests


@dataclass(frozen=True)
class Check:
    """Log E against the expectation, the largest of `tests`; with the cases of each arm and their expected numbers.

    `subject` names the cases.
    """

    subject: str
    log_e: float = 0.0
    tests: int = 1
    seen: tuple[int, ...] = ()
    expected: tuple[float, ...] = ()

    @property
    def threshold(self) -> float:
        """Return the E from which on the experiment is unhealthy."""
        return UNHEALTHY_FROM * self.tests

    @property
    def ok(self) -> bool:
        """Whether the cases are compatible with the expectation."""
        return self.log_e < math.log(self.threshold)

    @property
    def p(self) -> float:
        """Return the p-value at every moment."""
        return p_anytime(self.log_e, self.tests)


@dataclass(frozen=True)
class StandIns:
    """The share of each arm's requests that another variant answered, in the fit phases and the current one."""

    shares: tuple[float, ...]

    @property
    def most(self) -> float:
        """Return the largest share."""
        return max(self.shares)

    @property
    def ok(self) -> bool:
        """Whether the answers are the arms' own, so that their accuracy can be judged."""
        return self.own(*range(len(self.shares)))

    def own(self, *arms: int) -> bool:
        """Say whether the answers of these arms are their own."""
        return all(self.shares[arm] <= MOST_STAND_INS for arm in arms)


@dataclass(frozen=True)
class Health:
    """The checks of an experiment.

    `split` and `label_rate` are those of the current phase. `fit` are the phases that passed both; all evidence comes
    from them. `left_out` are the numbers of the others.
    """

    split: Check
    label_rate: Check
    label_sample: Check
    stand_ins: StandIns
    fit: tuple[PhaseCounts, ...]
    left_out: tuple[int, ...]

    @property
    def failed(self) -> list[Check]:
        """Return the checks that make the experiment unhealthy."""
        return [check for check in (self.split, self.label_rate, self.label_sample) if not check.ok]


def check_health(design: Design, phases: Sequence[PhaseCounts], first: int = 1) -> Health:
    """Check each phase by itself, then the labels and answers of the fit ones; `first` is the number of the first."""
    checked = [(check_split(phase), check_labels(phase)) for phase in phases]
    fits = [split.ok and label_rate.ok for split, label_rate in checked]
    fit = tuple(phase for phase, ok in zip(phases, fits, strict=True) if ok)
    split, label_rate = checked[-1] if checked else (Check("units"), Check("labelled units"))
    left_out = tuple(number for number, ok in enumerate(fits, first) if not ok)
    # Stand-ins may be why the current phase is not fit: unpaired, labels of their answers count for no arm.
    answering = fit if not fits or fits[-1] else (*fit, phases[-1])
    return Health(split, label_rate, check_sample(design, fit), check_stand_ins(design, answering), fit, left_out)


def check_split(phase: PhaseCounts) -> Check:
    """Check that assigned units follow the weights (sample ratio mismatch)."""
    return _check("units", phase.weights, phase.units)


def check_labels(phase: PhaseCounts) -> Check:
    """Check that labelled units follow the weights; of an experiment whose labels come late, the mature ones."""
    return _check("labelled units", phase.weights, phase.labelled if phase.mature is None else phase.mature)


def _check(subject: str, weights: tuple[float, ...], seen: tuple[int, ...]) -> Check:
    expected = tuple(sum(seen) * weight for weight in weights)
    return Check(subject, log_e_shares(seen, weights, CONCENTRATION), 1, seen, expected)


def check_sample(design: Design, phases: Sequence[PhaseCounts]) -> Check:
    """Check that labelled disagreements are a fair sample of all; multiply the E of each pair over the phases.

    Where nearly all of a pair have labels, no choice is left to be unfair.
    """
    pairs = [arm for arm in range(len(design.arms)) if arm != design.control]
    check = Check("labelled disagreements", tests=len(pairs))
    if not design.paired:
        return check
    chosen = [arm for arm in pairs if not _complete([phase.pairs[arm] for phase in phases])]
    return replace(
        check, log_e=max((sum(phase.pairs[arm].sample_log_e for phase in phases) for arm in chosen), default=0.0)
    )


def _complete(pairs: Sequence[PairCounts]) -> bool:
    all_of_them = sum(pair.disagreements for pair in pairs)
    return sum(pair.labelled_disagreements - pair.volunteered for pair in pairs) >= (1 - FEW_UNLABELLED) * all_of_them


def check_stand_ins(design: Design, phases: Sequence[PhaseCounts]) -> StandIns:
    """Return the share of each arm's exposures that another variant answered."""
    arms = range(len(design.arms))
    counts = [(sum(phase.stand_ins[arm] for phase in phases), sum(p.exposures[arm] for p in phases)) for arm in arms]
    return StandIns(tuple(count / max(exposed, 1) for count, exposed in counts))
