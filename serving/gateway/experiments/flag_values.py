"""The values that arms give to a feature flag: of one type, by default the names of their variants."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

LONGEST = 2000  # characters of JSON
KINDS: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "string", dict: "object"}

FlagValue = Annotated[
    StrictBool | StrictInt | StrictFloat | StrictStr | dict[str, Any],
    Field(description="The value of this arm as a feature flag (OFREP), of one type in all arms; else the variant"),
]


class Flag(NamedTuple):
    """An experiment as a feature flag: the variants and values of its arms, and its control."""

    variants: Sequence[str]
    values: Sequence[Any]
    control: int

    def value_of(self, variant: str) -> Any:
        """Return the value of a variant that may be in no arm, as the default variant may."""
        if variant in self.variants:
            return self.values[self.variants.index(variant)]
        return variant if list(self.values) == list(self.variants) else self.values[self.control]


def flag(spec: dict[str, Any]) -> Flag:
    """Return the flag of an experiment as it is stored."""
    variants = [arm["variant"] for arm in spec["arms"]]
    values = [arm.get("value") for arm in spec["arms"]]
    return Flag(variants, variants if values[0] is None else _as_one_type(values), variants.index(spec["control"]))


def check_values(values: Sequence[Any]) -> None:
    """Raise ValueError for values of arms that are not all of one type, or cannot be sent."""
    given = [value for value in values if value is not None]
    if not given:
        return
    if len(given) < len(values):
        raise ValueError("some arms have a value and some have none; give all of them one, or none")
    kinds = sorted({KINDS[type(value)] for value in given})
    if len(kinds) > 1:
        raise ValueError(f"the values of the arms are of several types: {', '.join(kinds)}")
    for value in given:
        _check(value)


def _check(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=True)
        orjson.dumps(value)  # which takes no integer of more than 64 bits
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"a value cannot be sent: {error}") from error
    if len(text) > LONGEST:
        raise ValueError(f"a value has {len(text):,} characters of JSON; at most {LONGEST:,} are taken")
    if "\\u0000" in text:  # PostgreSQL stores none
        raise ValueError("a value has a NUL character")


def _as_one_type(values: Sequence[Any]) -> list[Any]:
    """Return numbers as floats where one is: clients of a float flag refuse a whole number without a point."""
    return [float(value) for value in values] if any(type(value) is float for value in values) else list(values)
