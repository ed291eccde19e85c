"""Two-way analysis: two parameters over a grid, everything else at base (methods 7.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from heor.analyses import cea, ceac
from heor.analyses.results import DsaResult
from heor.engine.evaluate import evaluate
from heor.errors import HeorError, Place
from heor.spec import draws as draw_sets
from heor.spec.changes import apply_changes
from heor.spec.parameters import FloatArray
from heor.spec.records import Change, Spec
from heor.spec.tables import did_you_mean

#: Values of an axis unless told otherwise, and the most it may have.
POINTS, MOST_POINTS = 11, 201

#: Outcomes that a grid holds.
OUTCOMES = ("inmb", "icer", "delta_cost", "delta_qaly", "delta_ly")

_TOTALS = ("cost", "qaly", "ly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An axis as it was asked for; None for what was left open.

    Attributes
    ----------
    parameter : str
    low, high : float or None
    points : int or None
    """

    parameter: str
    low: float | None = None
    high: float | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAxis:
    """One parameter of a grid and the values ``(point,)`` it takes, rising."""

    parameter: str
    label: str
    unit: str
    base_value: float
    values: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One strategy against the reference over the grid.

    Attributes
    ----------
    id, versus : str
        Strategy and reference.
    delta_cost, delta_qaly, delta_ly : array ``(y, x)``
        Discounted increments.
    icer : array ``(y, x)``
        Currency per QALY gained; NaN where costs and QALYs do not both rise.
    inmb : array ``(threshold, y, x)``
        Incremental net monetary benefit.
    """

    id: str
    versus: str
    delta_cost: FloatArray
    delta_qaly: FloatArray
    delta_ly: FloatArray
    icer: FloatArray
    inmb: FloatArray

    def outcome(self, name: str, place: int) -> FloatArray:
        """One of `OUTCOMES`, ``(y, x)``; ``place`` is the index of the threshold."""
        found: FloatArray = self.inmb[place] if name == "inmb" else getattr(self, name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWayResult:
    """A two-way analysis.

    Attributes
    ----------
    x, y : GridAxis
        What goes across and what goes down.
    thresholds : tuple of float
        Currency per QALY.
    threshold : float
        The one that is shown.
    strategies : tuple of str
        Order of ``best``.
    grids : tuple of Grid
        One per strategy other than the reference, in table order.
    best : array of int ``(threshold, y, x)``
        Index of the strategy with the highest net benefit.
    """

    x: GridAxis
    y: GridAxis
    thresholds: tuple[float, ...]
    threshold: float
    strategies: tuple[str, ...]
    grids: tuple[Grid, ...]
    best: NDArray[np.int64]

    @property
    def place(self) -> int:
        """Index of the threshold that is shown."""
        return self.thresholds.index(self.threshold)


def run(
    spec: Spec, x: Asked, y: Asked, threshold: float | None = None, workers: int = 1
) -> TwoWayResult:
    """Evaluate every pair of values of two parameters.

    Parameters
    ----------
    spec : Spec
        The study.
    x, y : Asked
        Parameters with their ranges; ``low`` and ``high`` of the table, and `POINTS` values, where
        left open.
    threshold : float, optional
        Currency per QALY to show; the study's middle one when left out.
    workers : int
        Threads.

    Raises
    ------
    HeorError
        When a parameter is unknown, named twice, or has no range.
    InputErrors
        When the study refuses a corner of the grid.
    """
    if x.parameter == y.parameter:
        raise HeorError(f"a two-way analysis needs two parameters, found '{x.parameter}' twice")
    across, down = axis(spec, x), axis(spec, y)
    refuse_corners(spec, (across, down))
    shape = (len(down.values), len(across.values))
    columns = {
        across.parameter: np.tile(across.values, shape[0]),
        down.parameter: np.repeat(down.values, shape[1]),
    }
    # all outcomes, and so every cycle: cells have the bits of a base case
    outcomes = evaluate(spec, draw_sets.moved(spec, columns), workers=workers)
    own = spec.settings.thresholds
    shown = ceac.middle_threshold(own) if threshold is None else float(threshold)
    thresholds = own if shown in own else tuple(sorted((*own, shown)))
    reference, weight = spec.settings.reference, spec.settings.severity_weight
    cost, qaly, ly = (
        outcomes.get(name).reshape(*shape, len(outcomes.strategies)) for name in _TOTALS
    )
    marks = np.array(thresholds)[:, None, None, None]
    base = outcomes.strategies.index(reference)
    return TwoWayResult(
        x=across,
        y=down,
        thresholds=thresholds,
        threshold=shown,
        strategies=outcomes.strategies,
        grids=tuple(
            _grid(name, reference, thresholds, weight, *(v[..., i] - v[..., base] for v in values))
            for i, name in enumerate(outcomes.strategies)
            if name != reference
            for values in [(cost, qaly, ly)]
        ),
        best=(marks * weight * qaly - cost).argmax(axis=-1),
    )


def _grid(
    strategy: str,
    reference: str,
    thresholds: Sequence[float],
    weight: float,
    cost: FloatArray,
    qaly: FloatArray,
    ly: FloatArray,
) -> Grid:
    ratio = [
        [cea.icer(float(c), float(q)) for c, q in zip(*row, strict=True)]
        for row in zip(cost, qaly, strict=True)
    ]
    return Grid(
        id=strategy,
        versus=reference,
        delta_cost=cost,
        delta_qaly=qaly,
        delta_ly=ly,
        icer=np.array([[np.nan if r is None else r for r in row] for row in ratio]),
        inmb=np.array([k * weight * qaly - cost for k in thresholds]),
    )


def axis(spec: Spec, asked: Asked) -> GridAxis:
    """Values of an axis; what was left open comes from the study.

    Raises
    ------
    HeorError
        When the parameter is unknown or has no range.
    """
    parameter = spec.parameters.get(asked.parameter)
    if parameter is None:
        hint = did_you_mean(asked.parameter, spec.parameters)
        raise HeorError(f"'{asked.parameter}' is not a parameter of the study{hint}")
    low = parameter.low if asked.low is None else asked.low
    high = parameter.high if asked.high is None else asked.high
    if low is None or high is None or not low < high:
        raise HeorError(
            f"'{asked.parameter}' has no range of its own to vary over; give it as "
            f"low:high, such as {0.8 * parameter.value:g}:{1.2 * parameter.value:g}"
        )
    points = POINTS if asked.points is None else asked.points
    return GridAxis(
        parameter=parameter.id,
        label=parameter.label or parameter.id,
        unit=parameter.unit,
        base_value=parameter.value,
        values=np.linspace(low, high, points),
    )


def refuse_corners(spec: Spec, axes: Sequence[GridAxis]) -> None:
    """Make the changes at the ends of all axes, so that the study's checks see them.

    Raises
    ------
    InputErrors
        With what the study says of them.
    """
    for ends in product((0, -1), repeat=len(axes)):
        changes = [
            Change(
                target=one.parameter,
                value=repr(float(one.values[end])),
                place=Place(f"{one.parameter} = {one.values[end]:g}"),
            )
            for one, end in zip(axes, ends, strict=True)
        ]
        apply_changes(spec, changes)


def widest_pairs(dsa: DsaResult) -> tuple[tuple[str, str], ...]:
    """Of each comparison the two parameters with the widest bars, each pair once."""
    place = dsa.thresholds.index(dsa.threshold)
    pairs = []
    for comparison in dsa.comparisons:
        bars = [bar for bar in comparison.by_swing(place) if bar.swing[place] > 0]
        if len(bars) > 1:
            pairs.append((bars[0].parameter, bars[1].parameter))
    return tuple(dict.fromkeys(pairs))
