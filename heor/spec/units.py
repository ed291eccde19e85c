"""The closed list of units, and the range of values each allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from heor.spec.records import UNITS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Range:
    """Allowed values of a unit; ``open_low`` leaves out the lower end."""

    low: float = float("-inf")
    high: float = float("inf")
    open_low: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is allowed."""
        above = value > self.low if self.open_low else value >= self.low
        return above and value <= self.high

    def __str__(self) -> str:
        bound = f"above {self.low:g}" if self.open_low else f"at least {self.low:g}"
        if self.low == float("-inf"):
            bound = ""
        if self.high == float("inf"):
            return bound
        return f"from {self.low:g} to {self.high:g}" if bound else f"at most {self.high:g}"


_ANY = Range()
_SHARE = Range(0.0, 1.0)
_NOT_NEGATIVE = Range(0.0)
_POSITIVE = Range(0.0, open_low=True)

#: Units that are not money; a plural ``s`` is allowed on each.
UNITS: Mapping[str, Range] = {
    "proportion": _SHARE,
    "probability": _SHARE,
    "utility": Range(high=1.0),
    "disutility": _NOT_NEGATIVE,
    "number": _ANY,
    "ratio": _NOT_NEGATIVE,
    "HR": _POSITIVE,
    "RR": _POSITIVE,
    "OR": _POSITIVE,
    "shape": _POSITIVE,
    "log": _ANY,
    **dict.fromkeys(UNITS_PER_YEAR, _NOT_NEGATIVE),
    **{f"log {unit}": _ANY for unit in UNITS_PER_YEAR},
    **{f"per {unit}": _NOT_NEGATIVE for unit in UNITS_PER_YEAR},
    **dict.fromkeys(
        (
            "count",
            "person",
            "case",
            "patient",
            "event",
            "dose",
            "vial",
            "tablet",
            "cycle",
            "course",
            "visit",
            "infusion",
            "hour",
            "kg",
            "g",
            "mg",
            "mcg",
            "ml",
            "m2",
            "IU",
            "mg/kg",
            "mg/m2",
            "kg/m2",
            "IU/kg",
        ),
        _NOT_NEGATIVE,
    ),
}

#: What money may be divided by, as in ``USD/mg`` or ``USD/50 mg``.
_MONEY = re.compile(r"([A-Z]{3})(?:/(?:\d+(?:\.\d+)? )?([A-Za-z0-9]+))?")
_PER = frozenset(
    (
        *UNITS_PER_YEAR,
        *("event", "dose", "vial", "tablet", "cycle", "course", "visit", "infusion", "hour"),
        *("kg", "g", "mg", "mcg", "ml", "IU", "patient", "person", "procedure", "unit", "QALY"),
    )
)


def _singular(unit: str) -> str:
    return unit[:-1] if len(unit) > 2 and unit.endswith("s") else unit


def unit_range(unit: str) -> Range | None:
    """Give the range of a unit that is not money; None when the list does not hold it."""
    return UNITS.get(unit) or UNITS.get(_singular(unit))


def money_of(unit: str) -> str | None:
    """Give the currency of a unit of money such as ``USD/mg``; None for anything else."""
    match = _MONEY.fullmatch(unit)
    if match is None or unit in UNITS:
        return None
    per = match.group(2)
    return match.group(1) if per is None or per in _PER or _singular(per) in _PER else None


def unit_names() -> tuple[str, ...]:
    """Every unit that is not money, for suggestions and documentation."""
    return tuple(UNITS)
