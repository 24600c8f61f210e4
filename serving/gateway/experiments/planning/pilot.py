"""Read from a pilot experiment what a plan needs: the rates, the traffic and the size of its units."""

import math
import time
from collections.abc import Sequence

from sqlalchemy import Connection

from serving.gateway.errors import NotFound
from serving.gateway.experiments import lifecycle
from serving.gateway.experiments.checks import check_health
from serving.gateway.experiments.evidence import Judged, judged
from serving.gateway.experiments.maturity import median_delay_days
from serving.gateway.experiments.notes import skewed
from serving.gateway.experiments.outcomes import PhaseCounts
from serving.gateway.experiments.planning.rates import Rates, refuse
from serving.gateway.experiments.planning.spec import PlanSpec
from serving.gateway.experiments.spec import ExperimentSpec
from serving.gateway.store.days import DAY_SECONDS


def completed(connection: Connection, spec: PlanSpec, pilot: str) -> tuple[PlanSpec, Rates | None]:
    """Return a plan with what the pilot tells and it does not give, and the pilot's rates; raise NotFound."""
    experiment = lifecycle.find(connection, pilot)
    found = judged(connection, experiment)
    arm = _arm(found.spec, spec.variant)
    phases = check_health(found.spec.design, found.phases, found.first).fit
    rates = (_paired if found.spec.paired else _unpaired)(found.spec, phases, arm)
    given: dict[str, object] = {"paired": found.spec.paired if spec.paired is None else spec.paired}
    ended = experiment.stopped_at or time.time()
    given |= _traffic(spec, found, arm, ended)
    return spec.model_copy(update=given), rates


def _arm(pilot: ExperimentSpec, variant: str | None) -> int:
    """Return the pilot's arm to plan for: the named one, or the only one beside control."""
    others = [name for name in pilot.variants if name != pilot.control]
    if variant is None and len(others) > 1:
        refuse("variant", f"the pilot {pilot.name!r} has several variants; name one of {', '.join(others)}")
    if variant is not None and variant not in others:
        raise NotFound(f"The pilot {pilot.name!r} compares no {variant!r} with control; it has {', '.join(others)}.")
    return pilot.variants.index(variant or others[0])


def _paired(pilot: ExperimentSpec, phases: Sequence[PhaseCounts], arm: int) -> Rates | None:
    """Return the shares of images, as the labelled disagreements tell them; errors where labels tell accuracies."""
    pairs = [phase.pairs[arm] for phase in phases]
    images, disagreements = sum(pair.images for pair in pairs), sum(pair.disagreements for pair in pairs)
    labelled = sum(pair.labelled_disagreements for pair in pairs)
    if not labelled:
        return None
    scale = disagreements / images / labelled
    won, lost = (scale * sum(getattr(pair, name) for pair in pairs) for name in ("won", "lost"))
    errors = None if skewed(pilot.design, phases) else _first_errors(pilot, phases, arm)
    return Rates(errors, won, lost, max(0.0, disagreements / images - won - lost))


def _first_errors(pilot: ExperimentSpec, phases: Sequence[PhaseCounts], arm: int) -> tuple[float, float] | None:
    """Return the error rates of control and the arm over units with an outcome that both answered."""
    control = pilot.variants.index(pilot.control)
    both = 1 << arm | 1 << control
    firsts = [item for phase in phases for item in phase.firsts.items() if item[0][0] & both == both]
    n = sum(count for _, count in firsts)
    if not n:
        return None
    wrong = [sum(count for (_, right), count in firsts if not right >> each & 1) for each in (control, arm)]
    return wrong[0] / n, wrong[1] / n


def _unpaired(pilot: ExperimentSpec, phases: Sequence[PhaseCounts], arm: int) -> Rates | None:
    control = pilot.variants.index(pilot.control)
    labelled = [sum(phase.labelled[each] for phase in phases) for each in (control, arm)]
    if not all(labelled):
        return None
    wrong = [sum(phase.errors[each] for phase in phases) for each in (control, arm)]
    return Rates((wrong[0] / labelled[0], wrong[1] / labelled[1]))


def _traffic(spec: PlanSpec, found: Judged, arm: int, ended: float) -> dict[str, object]:
    """Return images a unit and a day, and the delay of labels, where the plan has none and the pilot does."""
    given: dict[str, object] = {}
    if not found.phases:
        return given
    assert found.began is not None
    pairs = [phase.pairs[arm] for phase in found.phases if phase.pairs]
    units, images = sum(pair.units for pair in pairs), sum(pair.images for pair in pairs)
    if not pairs:  # of the two arms that are compared
        arms = found.spec.variants.index(found.spec.control), arm
        units = sum(phase.units[each] for phase in found.phases for each in arms)
        # An earlier release has counted requests alone.
        images = sum(max(phase.images[each], phase.exposures[each]) for phase in found.phases for each in arms)
    if spec.images_per_unit is None and units:
        given["images_per_unit"] = min(1000, max(1, round(images / units)))
    if spec.images_per_day is None and images:
        given["images_per_day"] = images / max(ended - found.began, 1.0) * DAY_SECONDS
    if spec.label_delay_days is None and images and (median := median_delay_days(found.total, len(found.spec.arms))):
        given["label_delay_days"] = median / math.log(2)  # the mean of an exponential distribution
    return given
