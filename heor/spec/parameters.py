"""Parameters with unit, distribution, source and evidence grade, and tables of their draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from heor.errors import Place
from heor.spec.distributions import Distribution
from heor.spec.expressions import Expression

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number of the study.

    ``value`` is the base value; ``expression`` is set for a derived parameter (recomputed in
    every draw, no distribution of its own). ``distribution`` is None when fixed or derived.
    ``low``/``high`` are the one-way interval: from the table, else the distribution's 2.5% and
    97.5% quantiles, else None.
    """

    id: str
    label: str
    category: str
    value: float
    expression: Expression | None
    unit: str
    low: float | None
    high: float | None
    distribution: Distribution | None
    correlation_group: str
    price_year: str
    source: str
    evidence: str
    note: str
    place: Place

    @property
    def joint(self) -> bool:
        """Drawn jointly with others, so left out of the one-way analysis (methods 7.3)."""
        return self.distribution is not None and self.distribution.joint


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """One pair: a Spearman rank correlation, or a covariance cell of a normal group."""

    group: str
    row: str
    column: str
    value: float
    note: str
    place: Place


@dataclass(frozen=True, slots=True)
class Draws:
    """A table of parameter values, one row per evaluation.

    Parameters
    ----------
    values : mapping of str to array
        Every parameter id (derived ones included), each ``(draw,)``.
    labels : mapping of str to array
        What each row is, e.g. ``{"parameter": …, "bound": …}``, each ``(draw,)``.
    """

    values: Mapping[str, FloatArray]
    labels: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.values.values()))) if self.values else 1

    def rows(self, start: int, stop: int) -> Draws:
        """Rows ``start``..``stop`` as draws of their own."""
        return Draws(
            {name: value[start:stop] for name, value in self.values.items()},
            {name: value[start:stop] for name, value in self.labels.items()},
        )

    def take(self, rows: NDArray[np.int64]) -> Draws:
        """Some rows as draws of their own."""
        return Draws(
            {name: value[rows] for name, value in self.values.items()},
            {name: value[rows] for name, value in self.labels.items()},
        )
