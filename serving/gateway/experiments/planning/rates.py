"""Check the rates of a plan, and turn them into what the simulation draws from."""

from dataclasses import dataclass
from typing import NoReturn

from serving.gateway.errors import Fault, Unprocessable, pointer
from serving.gateway.experiments.planning.spec import PlanSpec

ROUNDING = 1e-12
LEAST = 1e-9  # share of images: with fewer cases no experiment ends


@dataclass(frozen=True)
class Rates:
    """Shares of images. Paired: only the variant right, only control right, both wrong with different labels.

    `errors` are those of control and of the variant, None where a pilot does not tell; unpaired, nothing else counts.
    """

    errors: tuple[float, float] | None
    won: float = 0.0
    lost: float = 0.0
    neither: float = 0.0

    @property
    def disagreement(self) -> float:
        """Return the share of images that the two label differently."""
        return self.won + self.lost + self.neither

    @property
    def difference(self) -> float:
        """Return the accuracy of the variant less that of control."""
        if self.disagreement or self.errors is None:
            return self.won - self.lost
        return self.errors[0] - self.errors[1]

    def moved(self, difference: float) -> "Rates":
        """Return rates with another difference, as control's error and the disagreement stay."""
        both = self.won + self.lost
        errors = None if self.errors is None else (self.errors[0], self.errors[0] - difference)
        if not both:
            return Rates(errors)
        return Rates(errors, (both + difference) / 2, (both - difference) / 2, self.neither)

    @property
    def largest_difference(self) -> float:
        """Return the largest difference for the variant at control's error and the disagreement."""
        both = self.won + self.lost
        if not both:
            return self.errors[0] if self.errors else 0.0
        return both if self.errors is None else min(both, 2 * (self.errors[0] - self.neither) - both)


def rates_of(spec: PlanSpec, pilot: Rates | None = None) -> Rates:
    """Return the rates of a plan, the pilot's where it gives none; raise Unprocessable for impossible ones."""
    errors = _errors(spec, pilot)
    if not spec.paired:
        if errors is None:
            refuse("control_error", "an unpaired plan needs both error rates; the pilot's labels do not tell them")
        if max(errors) < LEAST:
            refuse("control_error", f"arms without errors cannot be told apart; one errs on {LEAST:g} at least")
        return Rates(errors)
    given = (spec.disagreement, spec.control_error, spec.variant_error, spec.neither_right)
    if given == (None,) * len(given) and pilot is not None and pilot.disagreement:
        if pilot.won + pilot.lost < LEAST:
            refuse("pilot", f"{spec.pilot!r} has no labelled image yet that one of the two alone has right")
        return pilot
    if errors is None:
        refuse("control_error", "a paired plan needs both error rates, or a pilot with labelled disagreements")
    disagreement, neither = spec.disagreement, spec.neither_right
    if disagreement is None and pilot is not None and pilot.disagreement:
        disagreement = pilot.disagreement
        neither = pilot.neither if neither is None else neither
    if disagreement is None:
        refuse("disagreement", "a paired plan needs the share of images that the two label differently")
    return _paired(errors, disagreement, neither or 0.0)


def _errors(spec: PlanSpec, pilot: Rates | None) -> tuple[float, float] | None:
    known = pilot.errors if pilot and pilot.errors else (None, None)
    control = known[0] if spec.control_error is None else spec.control_error
    variant = known[1] if spec.variant_error is None else spec.variant_error
    if control is not None and variant is not None:
        return control, variant
    if spec.control_error is not None or (spec.variant_error is None and spec.pilot is None):
        missing = "variant_error" if control is not None else "control_error"
        refuse(missing, f"{missing} is missing; give both error rates, or a pilot")
    if spec.variant_error is not None:
        refuse("control_error", "control_error is missing; give both error rates, or a pilot that tells them")
    return None


def _paired(errors: tuple[float, float], disagreement: float, neither: float) -> Rates:
    """Return the shares that follow from errors and disagreement; raise Unprocessable where they contradict."""
    difference, alone = errors[0] - errors[1], disagreement - neither
    given = f"error rates of {errors[0]:g} and {errors[1]:g}"
    if alone < LEAST:
        least = f"{neither:g}, its part in which neither is right" if neither else "0 by a billionth"
        refuse("disagreement", f"{disagreement:g} is not above {least}: without images that one alone has right, "
                "the two cannot be told apart")  # fmt: skip
    if alone < abs(difference) - ROUNDING:
        refuse("disagreement", f"{disagreement:g} is too low for {given}: with that difference the two disagree on "
                f"{abs(difference) + neither:g} of the images at least")  # fmt: skip
    most = min(sum(errors) - neither, 2 - sum(errors) + neither)
    if disagreement > most + ROUNDING:
        refuse("disagreement", f"{disagreement:g} is too high for {given}: with those the two disagree on "
                f"{max(0.0, most):g} of the images at most")  # fmt: skip
    won, lost = (max(0.0, (alone + sign * difference) / 2) for sign in (1, -1))
    return Rates(errors, won, lost, neither)


def refuse(field: str, why: str) -> NoReturn:
    """Raise Unprocessable for a field of the plan."""
    place = pointer(field)
    raise Unprocessable(f"{place}: {why}.", [Fault(place, why)])
