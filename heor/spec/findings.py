"""What the checks of a whole study find, and the base values they look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from heor.errors import Place, Problem
from heor.spec.context import evaluate, in_column, not_finite
from heor.spec.expressions import Expression
from heor.spec.parameters import FloatArray
from heor.spec.records import Spec
from heor.spec.units import Range


@dataclass(slots=True)
class Findings:
    """What the checks of one study find; ``values`` are its base values, each ``(1,)``.

    Where the study came from a ``sound`` one by changing parameters, expressions that none of
    those enters keep the values they had there.
    """

    spec: Spec
    values: Mapping[str, FloatArray]
    sound: Findings | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _evaluated: dict[int, float | None] = field(default_factory=dict)
    _changed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        before = self.sound.values if self.sound else {}
        self._changed = frozenset(n for n in self.values if self.values[n] != before.get(n))

    def evaluate(self, expression: Expression) -> float | None:
        """Base value of an expression; None when a parameter it uses has no value."""
        key = id(expression)
        if key not in self._evaluated:
            known = self.sound._evaluated if self.sound else {}
            if key in known and self._changed.isdisjoint(expression.names):
                self._evaluated[key] = known[key]
            else:
                self._evaluated[key] = evaluate(expression, self.values)
        return self._evaluated[key]

    def problem(self, place: Place, message: str, column: str = "") -> None:
        """Note a problem with a column of the row that a record came from."""
        self.problems.append(Problem(in_column(place, column) if column else place, message))

    def warn(self, place: Place, message: str, column: str = "") -> None:
        """Note something worth a look."""
        self.warnings.append(Problem(in_column(place, column) if column else place, message))

    def value(
        self, expression: Expression | None, place: Place, name: str, column: str
    ) -> float | None:
        """Base value of an expression; one that is not finite is a problem."""
        if expression is None:
            return None
        value = self.evaluate(expression)
        if value is not None and not math.isfinite(value):
            self.problem(place, not_finite(name, expression.text, value), column)
            return None
        return value

    def in_range(
        self, expression: Expression | None, allowed: Range, place: Place, name: str, column: str
    ) -> float | None:
        """Base value of an expression, which must lie in a range."""
        value = self.value(expression, place, name, column)
        if value is not None and not allowed.holds(value):
            message = f"{name}: `{column}` is {value:g} at the base case; it must be {allowed}"
            self.problem(place, message, column)
        return value


def setting_place(spec: Spec, key: str) -> Place:
    """Place of a setting; of the table where the value is a preset's or a default."""
    return spec.settings.places.get(key, Place("settings"))
