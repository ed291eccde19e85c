"""Utilities by time: windows, age adjustment and the population-norm cap (methods 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.engine.curves import CurveBlock
from heor.engine.mortality import Population, population
from heor.engine.timeline import PersonTime, Timeline
from heor.engine.trace import StrategyTrace
from heor.spec.expressions import Expression
from heor.spec.parameters import FloatArray
from heor.spec.records import ALL, UNITS_PER_YEAR, Spec, Utility


@dataclass(frozen=True, slots=True)
class UtilityPlan:
    """A utility row and the share of each cycle in which it applies (None: always)."""

    value: Expression
    share: FloatArray | None


def plan_utilities(
    spec: Spec, timeline: Timeline, strategy: str
) -> dict[str, tuple[UtilityPlan, ...]]:
    """Utility rows by state: a strategy's own rows come before those for ``all`` (methods 4)."""
    plans = {}
    for state in spec.living_states:
        rows = [u for u in spec.utilities if u.state == state.id]
        own = [u for u in rows if u.strategy == strategy]
        taken = [_interval(u) for u in own]
        plan = [_plan(u, [_interval(u)], timeline) for u in own]
        for row in rows:
            left = _without(_interval(row), taken) if row.strategy == ALL else []
            if left:
                plan.append(_plan(row, left, timeline))
        plans[state.id] = tuple(plan)
    return plans


def _plan(row: Utility, intervals: list[tuple[float, float]], timeline: Timeline) -> UtilityPlan:
    share: FloatArray | None = np.zeros(timeline.cycles)
    for lower, upper in intervals:
        window = timeline.window(lower, None if upper == np.inf else upper, "year")
        share = None if window is None or share is None else share + window
    return UtilityPlan(row.value, share)


class Quality:
    """Utility of one strategy in one block of draws, cycle by cycle where it must be."""

    def __init__(
        self,
        spec: Spec,
        timeline: Timeline,
        plans: dict[str, tuple[UtilityPlan, ...]],
        trace: StrategyTrace,
        curves: CurveBlock,
    ) -> None:
        self._spec = spec
        self._timeline = timeline
        self._plans = plans
        self._trace = trace
        self._curves = curves
        self._population: Population | None = None
        self._adjusted: tuple[FloatArray, FloatArray] | None = None
        self._excess: dict[str, tuple[NDArray[np.intp], FloatArray] | None] = {}

    @property
    def by_cycle(self) -> bool:
        """Whether utilities must be applied cycle by cycle in every draw."""
        return self._spec.settings.age_adjusted_utilities

    def utility(self, state: str) -> FloatArray:
        """Utility in each cycle, ``(draw, 1)`` where constant, else ``(draw, cycle)``.

        The cap is in it only when utilities are age-adjusted; else see `excess`.
        """
        total: FloatArray | None = None
        for plan in self._plans[state]:
            value = self._curves.values(plan.value)
            if self.by_cycle:
                norm, relative = self._adjustment()
                value = value * relative
                if self._spec.settings.utility_cap != "none":
                    value = np.minimum(value, norm)
            part = value if plan.share is None else value * plan.share
            total = part if total is None else total + part
        return np.zeros((self._curves.rows, 1)) if total is None else total

    def excess(self, state: str) -> tuple[NDArray[np.intp], FloatArray] | None:
        """What the cap takes off the utility in each cycle, in the draws where it may bind.

        Kept apart from `utility`, so that a draw the cap does not bind has the same bits whether
        or not it binds in the draws beside it.

        Returns
        -------
        (rows, excess) or None
            Row numbers ``(row,)`` and the excess ``(row, cycle)``; None where the cap binds none.
        """
        if self._spec.settings.utility_cap == "none" or self.by_cycle:
            return None
        if state not in self._excess:
            values = [self._curves.values(plan.value) for plan in self._plans[state]]
            highest = np.max(values, axis=0)[:, 0] if values else np.zeros(self._curves.rows)
            rows = np.flatnonzero(highest > self._lowest_norm())
            self._excess[state] = (rows, self._over_norm(state, rows)) if rows.size else None
        return self._excess[state]

    def _over_norm(self, state: str, rows: NDArray[np.intp]) -> FloatArray:
        norm = self._norm(rows)
        total = np.zeros(norm.shape)
        for plan in self._plans[state]:
            part = np.maximum(self._curves.values(plan.value)[rows] - norm, 0.0)
            total += part if plan.share is None else part * plan.share
        return total

    def qalys(self, state: str, time: PersonTime, share: FloatArray | None = None) -> FloatArray:
        """Σ_k u_k × (discounted) person-time of cycle k in the state, ``(draw,)``."""
        spent = self._spent(state, time, slice(None))
        if share is not None:
            spent *= share
        total: FloatArray = (spent * self.utility(state)).sum(axis=1)
        return total - self.capped_loss(state, time, share)

    def capped_loss(
        self, state: str, time: PersonTime, share: FloatArray | None = None
    ) -> FloatArray | float:
        """QALYs that the population norm takes away; exactly 0 in draws it does not bind."""
        found = self.excess(state)
        if found is None:
            return 0.0
        rows, excess = found
        lost = self._spent(state, time, rows) * excess
        if share is not None:
            lost *= share
        total = np.zeros(self._curves.rows)
        total[rows] = lost.sum(axis=1)
        return total

    def _spent(self, state: str, time: PersonTime, rows: NDArray[np.intp] | slice) -> FloatArray:
        """(Discounted) person-time in the state by cycle, ``(row, cycle)``."""
        trace, spec = self._trace, self._spec
        endpoint = next(s.endpoint for s in spec.living_states if s.id == state)
        present = [e for e in spec.nested_endpoints if e in trace.endpoints]
        if endpoint not in present:
            return np.zeros((len(trace.endpoints["os"][rows]), len(time.left)))
        curve = trace.endpoints[endpoint][rows]
        position = present.index(endpoint)
        if position:
            curve = curve - trace.endpoints[present[position - 1]][rows]
        return curve[:, :-1] * time.left + curve[:, 1:] * time.right

    def _people(self) -> Population:
        if self._population is None:
            self._population = population(self._spec, self._curves.values, self._curves.first_draw)
        return self._population

    def _norm(self, rows: NDArray[np.intp] | slice) -> FloatArray:
        """Population norm at the middle of each cycle, ``(row, cycle)``."""
        return self._people().rows(rows).norms(self._timeline.mid_years)

    def _adjustment(self) -> tuple[FloatArray, FloatArray]:
        """Norm by cycle, and relative to the norm at the exact start age; ``(draw, cycle)``."""
        if self._adjusted is None:
            norm = self._norm(slice(None))
            start = self._people().norms(np.zeros(1))
            self._adjusted = norm, norm / start
        return self._adjusted

    def _lowest_norm(self) -> float:
        """A floor under every norm the block can meet, so that most blocks need no norms."""
        youngest = self._people().youngest
        table = self._spec.life_table
        assert table is not None
        reached = table.age >= np.floor(youngest)
        both = np.stack([table.utility_male[..., reached], table.utility_female[..., reached]])
        return float(both.min()) if both.size and not np.isnan(both).any() else -np.inf


def _interval(row: Utility) -> tuple[float, float]:
    """A utility row's window in years."""
    per_year = UNITS_PER_YEAR[row.time_unit]
    return row.start / per_year, np.inf if row.until is None else row.until / per_year


def _without(
    interval: tuple[float, float], taken: list[tuple[float, float]]
) -> list[tuple[float, float]]:
    """What is left of an interval when others are taken out."""
    left = [interval]
    for lower, upper in taken:
        left = [
            piece
            for start, end in left
            for piece in ((start, min(end, lower)), (max(start, upper), end))
            if piece[0] < piece[1]
        ]
    return left
