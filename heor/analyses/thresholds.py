"""Threshold analysis: the values of a parameter at which a decision turns (methods 7.7).

Every parameter is set to values over its range, all in one table of rows; where net benefit
changes sign between two of them, the value at which it is 0 is closed in on, for all parameters,
strategies and thresholds side by side, a row each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from heor.analyses.roots import close_in
from heor.analyses.two_way import Asked, GridAxis, axis, refuse_corners
from heor.engine.evaluate import evaluate
from heor.errors import HeorError, ModelError
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws, FloatArray, Parameter
from heor.spec.records import Spec
from heor.spec.tables import did_you_mean
from heor.spec.units import Range, unit_range

#: Values of a parameter between which a change of sign is looked for: of every parameter, and of
#: those that are named.
POINTS, POINTS_NAMED = 9, 65

#: How far a named parameter is searched beyond its own range, as multiples of its largest value:
#: the first at which the model runs.
REACHES = (10.0, 4.0, 2.0, 1.25)

#: Share of a range by which an end is left out where a parameter cannot take it.
EDGE = 1e-6

#: A root is as exact as this share of the range that is searched.
EXACT = 1e-12

#: Share of the range of net benefit over the grid; a "root" with more is a jump over 0.
SMALL = 1e-6

_TOTALS = ("cost", "qaly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A value at which two strategies change places.

    Attributes
    ----------
    value : float
        Of the parameter.
    rising : bool
        Whether the strategy is better than the other above it.
    jump : bool
        Whether net benefit jumps over 0 there, instead of passing through it.
    decision : bool
        Whether no third strategy is better there, so that the best choice changes.
    """

    value: float
    rising: bool
    jump: bool
    decision: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """Where one strategy and another change places, at one threshold, along one parameter.

    Attributes
    ----------
    id, versus : str
        Strategies.
    threshold : float
        Currency per QALY.
    base, at_low, at_high : float
        Incremental net benefit at the base value and at both ends of what was searched.
    roots : tuple of Root
        By rising value; empty where there is none.
    always : bool
        Whether net benefit is 0 all over the range.
    """

    id: str
    versus: str
    threshold: float
    base: float
    at_low: float
    at_high: float
    roots: tuple[Root, ...]
    always: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRow:
    """One parameter, searched from ``low`` to ``high``.

    ``turnings`` holds every strategy against the reference at every threshold, and other pairs
    where they change the decision.
    """

    parameter: str
    label: str
    unit: str
    base_value: float
    low: float
    high: float
    turnings: tuple[Turning, ...]

    @property
    def changes_decision(self) -> bool:
        """Whether any value changes the best choice at any threshold."""
        return any(root.decision for one in self.turnings for root in one.roots)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdResult:
    """A threshold analysis.

    Attributes
    ----------
    reference : str
    thresholds : tuple of float
        Currency per QALY.
    rows : tuple of ThresholdRow
        In table order, or as asked for.
    left_out : tuple of (str, str)
        Parameters without a row, and why.
    evaluations : int
        Rows of parameter values that were evaluated.
    """

    reference: str
    thresholds: tuple[float, ...]
    rows: tuple[ThresholdRow, ...]
    left_out: tuple[tuple[str, str], ...]
    evaluations: int


def run(
    spec: Spec,
    names: Sequence[str] = (),
    search: tuple[float, float] | None = None,
    thresholds: Sequence[float] | None = None,
    workers: int = 1,
) -> ThresholdResult:
    """Find where net benefit against the reference is 0.

    Parameters
    ----------
    spec : Spec
        The study.
    names : sequence of str
        Parameters; each is searched over its own range and, where that holds no root, as far
        beyond it as `widest` says and the model runs. Left out: every parameter that varies alone
        (methods 7.3), over its own range.
    search : tuple of float, optional
        Where to search instead, of the parameters named.
    thresholds : sequence of float, optional
        Currency per QALY; those of the study when left out.
    workers : int
        Threads.

    Raises
    ------
    HeorError
        When a parameter is unknown or there is nothing to search over.
    InputErrors
        When the study refuses an end of a range that was given.
    """
    marks = tuple(spec.settings.thresholds if thresholds is None else thresholds)
    left_out: tuple[tuple[str, str], ...] = ()
    axes: list[GridAxis] = []
    if names and search is not None:
        low, high = search
        axes = [_axis(spec, name, low, high) for name in dict.fromkeys(names)]
        for one in axes:
            refuse_corners(spec, [one])
    elif not names:
        moving, left_out = draw_sets.alone(spec)
        axes = [axis(spec, Asked(parameter=p.id, points=POINTS)) for p in moving]
    model = _Model(spec, marks, workers)
    if names and search is None:
        rows = [_beyond(spec, model, name) for name in dict.fromkeys(names)]
    else:
        rows = model.search(axes)
    return ThresholdResult(
        reference=spec.settings.reference,
        thresholds=marks,
        rows=tuple(rows),
        left_out=left_out,
        evaluations=model.evaluations,
    )


def _axis(spec: Spec, name: str, low: float | None, high: float | None) -> GridAxis:
    return axis(spec, Asked(parameter=name, low=low, high=high, points=POINTS_NAMED))


def _beyond(spec: Spec, model: _Model, name: str) -> ThresholdRow:
    """Search a parameter's own range; where it has none or no root, as far as the model runs."""
    parameter = spec.parameters.get(name)
    if parameter is None:
        hint = did_you_mean(name, spec.parameters)
        raise HeorError(f"'{name}' is not a parameter of the study{hint}")
    row: ThresholdRow | None = None
    if parameter.low is not None and parameter.high is not None and parameter.low < parameter.high:
        [row] = model.search([_axis(spec, name, None, None)])
        if any(one.roots or one.always for one in row.turnings):
            return row
    failure: ModelError | None = None
    for reach in REACHES:
        try:
            [wide] = model.search([_axis(spec, name, *widest(parameter, reach))])
        except ModelError as error:
            failure = error
        else:
            return wide
    if row is None:
        raise HeorError(
            f"the model does not run for '{name}' far from its base value; give the values to "
            f"search, as low:high. {failure}"
        )
    return row


def widest(parameter: Parameter, reach: float) -> tuple[float, float]:
    """Values of a parameter that are searched when its own range holds no root.

    Up to ``reach`` times the largest of its value, low and high, and from 0 or as far below; of
    the shorter reaches, from the smallest divided by ``reach``. Never beyond what its unit allows.
    Shares stay `EDGE` away from 0 and 1, where many formulas have no value.
    """
    known = [v for v in (parameter.value, parameter.low, parameter.high) if v is not None]
    far = reach * max(max(abs(v) for v in known), 1e-6)
    allowed = unit_range(parameter.unit) or Range()
    positive = min(known) >= 0 and (allowed.low == 0 or not unit_range(parameter.unit))
    low = 0.0 if positive else -far
    if positive and reach < REACHES[0]:
        low = min(known) / reach
    low, high = max(low, allowed.low), min(far, allowed.high)
    if parameter.distribution is not None and parameter.distribution.name in ("beta", "dirichlet"):
        low, high = max(low, 0.0), min(high, 1.0)
    width = high - low
    if low == 0 and (allowed.open_low or high == 1.0):
        low += EDGE * width
    return low, high - EDGE * width if high == 1.0 else high


@dataclass(slots=True)
class _Bracket:
    """A change of sign: which parameter, pair and threshold, and the two ends."""

    axis: int
    first: int
    second: int
    place: int
    low: float
    high: float
    at_low: float
    at_high: float
    scale: float


class _Model:
    """Net benefits of a study for rows that differ from the base case in one parameter each."""

    def __init__(self, spec: Spec, thresholds: tuple[float, ...], workers: int) -> None:
        self.spec = spec
        self.thresholds = thresholds
        self.workers = workers
        self.strategies = spec.strategy_ids()
        self.reference = self.strategies.index(spec.settings.reference)
        self.evaluations = 0

    def benefits(self, names: Sequence[str], values: FloatArray) -> FloatArray:
        """Net benefit ``(threshold, row, strategy)``; row i sets parameter ``names[i]``."""
        self.evaluations += len(names)
        parts: dict[str, FloatArray] = {}
        for name in dict.fromkeys(names):
            rows = np.array([other == name for other in names])
            moved = draw_sets.moved(self.spec, {name: values[rows]})
            for key, column in moved.values.items():
                parts.setdefault(key, np.empty(len(names)))[rows] = column
        found = evaluate(self.spec, Draws(parts), workers=self.workers, keep=_TOTALS)
        weight = self.spec.settings.severity_weight
        marks = np.array(self.thresholds)[:, None, None]
        result: FloatArray = marks * weight * found.get("qaly") - found.get("cost")
        return result

    def search(self, axes: Sequence[GridAxis]) -> list[ThresholdRow]:
        """Look over the grids of all axes, then close in on every change of sign."""
        if not axes:
            return []
        names = [one.parameter for one in axes for _ in range(len(one.values) + 1)]
        values = np.concatenate([[one.base_value, *one.values] for one in axes])
        table = self.benefits(names, values)
        tables, start = [], 0
        for one in axes:
            tables.append(table[:, start : start + len(one.values) + 1])
            start += len(one.values) + 1
        brackets = [
            bracket
            for number, one in enumerate(axes)
            for bracket in self._brackets(number, one, tables[number][:, 1:])
        ]
        roots = self._close_in(axes, brackets)
        return [self._row(i, one, tables[i], brackets, roots) for i, one in enumerate(axes)]

    def _pairs(self) -> list[tuple[int, int]]:
        """Every pair of strategies once, the reference always second."""
        order = [i for i in range(len(self.strategies)) if i != self.reference]
        return [(i, self.reference) for i in order] + [(j, i) for i, j in combinations(order, 2)]

    def _brackets(self, number: int, one: GridAxis, table: FloatArray) -> list[_Bracket]:
        found = []
        for first, second in self._pairs():
            for place in range(len(self.thresholds)):
                gain = table[place, :, first] - table[place, :, second]
                scale = float(np.ptp(gain))
                if not scale > 0:
                    continue
                sign = np.sign(gain)
                for i in np.flatnonzero(sign[:-1] * sign[1:] < 0):
                    found.append((i, i + 1, first, second, place, gain, scale))
                for i in np.flatnonzero(sign == 0):
                    found.append((i, i, first, second, place, gain, scale))
        return [
            _Bracket(
                axis=number,
                first=first,
                second=second,
                place=place,
                low=float(one.values[i]),
                high=float(one.values[j]),
                at_low=float(gain[i]),
                at_high=float(gain[j]),
                scale=scale,
            )
            for i, j, first, second, place, gain, scale in found
        ]

    def _close_in(
        self, axes: Sequence[GridAxis], brackets: Sequence[_Bracket]
    ) -> list[tuple[float, FloatArray]]:
        """Root of each bracket, and the net benefits ``(strategy,)`` there."""
        if not brackets:
            return []
        names = [axes[one.axis].parameter for one in brackets]
        width = [float(np.ptp(axes[one.axis].values)) for one in brackets]

        def gain(rows: NDArray[np.intp], x: FloatArray) -> FloatArray:
            some = [brackets[i] for i in rows]
            table = self.benefits([names[i] for i in rows], x)
            return np.array(
                [
                    table[one.place, row, one.first] - table[one.place, row, one.second]
                    for row, one in enumerate(some)
                ]
            )

        x = close_in(
            gain,
            np.array([one.low for one in brackets]),
            np.array([one.high for one in brackets]),
            np.array([one.at_low for one in brackets]),
            np.array([one.at_high for one in brackets]),
            EXACT * np.array(width),
        )
        table = self.benefits(names, x)
        return [
            (float(value), table[one.place, row])
            for row, (value, one) in enumerate(zip(x, brackets, strict=True))
        ]

    def _row(
        self,
        number: int,
        one: GridAxis,
        table: FloatArray,
        brackets: Sequence[_Bracket],
        roots: Sequence[tuple[float, FloatArray]],
    ) -> ThresholdRow:
        found: dict[tuple[int, int, int], list[Root]] = {}
        for bracket, (value, at) in zip(brackets, roots, strict=True):
            if bracket.axis != number:
                continue
            pair = max(at[bracket.first], at[bracket.second])
            root = Root(
                value=value,
                rising=self._rising(one, table, bracket, value),
                jump=bool(abs(at[bracket.first] - at[bracket.second]) > SMALL * bracket.scale),
                decision=bool(pair >= at.max() - SMALL * bracket.scale),
            )
            found.setdefault((bracket.first, bracket.second, bracket.place), []).append(root)
        turnings = []
        for first, second in self._pairs():
            for place, threshold in enumerate(self.thresholds):
                gain = table[place, :, first] - table[place, :, second]
                here = sorted(found.get((first, second, place), []), key=lambda r: r.value)
                if second != self.reference and not any(root.decision for root in here):
                    continue
                turnings.append(
                    Turning(
                        id=self.strategies[first],
                        versus=self.strategies[second],
                        threshold=threshold,
                        base=float(gain[0]),
                        at_low=float(gain[1]),
                        at_high=float(gain[-1]),
                        roots=tuple(here),
                        always=not gain.any(),
                    )
                )
        return ThresholdRow(
            parameter=one.parameter,
            label=one.label,
            unit=one.unit,
            base_value=one.base_value,
            low=float(one.values[0]),
            high=float(one.values[-1]),
            turnings=tuple(turnings),
        )

    @staticmethod
    def _rising(one: GridAxis, table: FloatArray, bracket: _Bracket, value: float) -> bool:
        """Whether the first of the pair gains with the parameter where the root is."""
        gain = table[bracket.place, 1:, bracket.first] - table[bracket.place, 1:, bracket.second]
        below = gain[one.values < value]
        above = gain[one.values > value]
        return bool((above[0] if len(above) else 0.0) > (below[-1] if len(below) else 0.0))


def shown_rows(result: ThresholdResult) -> tuple[ThresholdRow, ...]:
    """Rows with a root, those that change the decision first."""
    kept = [row for row in result.rows if any(one.roots or one.always for one in row.turnings)]
    return tuple(sorted(kept, key=lambda row: not row.changes_decision))
