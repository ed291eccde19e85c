"""Life years, QALYs, equal-value life years and costs from a trace (methods 3.3, 4, 5).

What is linear in occupancy is a dot product with a weight vector, taken once per curve and
vector; only capped or age-adjusted utilities and equal-value life years go cycle by cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from heor.engine.curves import CurveBlock
from heor.engine.outcomes import EVENTS
from heor.engine.quality import Quality, plan_utilities
from heor.engine.timeline import Timeline
from heor.engine.trace import StrategyTrace
from heor.errors import ModelError
from heor.spec.expressions import Expression
from heor.spec.parameters import FloatArray
from heor.spec.records import (
    ADVERSE_EVENT_CATEGORY,
    ALL,
    UNITS_PER_YEAR,
    AdverseEvent,
    Cost,
    DiscountRate,
    Spec,
)

DAYS_PER_YEAR = UNITS_PER_YEAR["day"]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one cost item takes from the trace: a state's or a curve's weighted sum."""

    bucket: str
    source: str
    is_state: bool
    discounted: int
    undiscounted: int


@dataclass(frozen=True, slots=True)
class _CostPlan:
    category: str
    amount: Expression
    scale: float
    group: str
    parts: tuple[_Part, ...]


class _Sums:
    """Weighted sums of one trace over boundaries, each taken once; ``(draw,)``."""

    def __init__(
        self, trace: StrategyTrace, vectors: list[FloatArray], inner: Mapping[str, str]
    ) -> None:
        self._trace = trace
        self._vectors = vectors
        self._inner = inner
        self._kept: dict[tuple[str, str, int], FloatArray | float] = {}

    def curve(self, endpoint: str, group: str, vector: int) -> FloatArray | float:
        """Σ_k weight_k S_k of an endpoint, or of a group of it times its weight."""
        key = (endpoint, group, vector)
        if key not in self._kept:
            trace = self._trace
            if group == ALL:
                curve = trace.endpoints.get(endpoint)
            else:
                curve = trace.group_curves.get((endpoint, group))
            if curve is None:
                total: FloatArray | float = 0.0
            else:
                total = np.einsum("dk,k->d", curve, self._vectors[vector])
                if group != ALL:
                    total = total * trace.weights[group]
            self._kept[key] = total
        return self._kept[key]

    def state(self, endpoint: str, group: str, vector: int) -> FloatArray | float:
        """The same for the state under an endpoint; ``""`` is dead."""
        if not endpoint:
            everyone = float(self._vectors[vector].sum())
            weight: FloatArray | float = 1.0 if group == ALL else self._trace.weights[group]
            return weight * everyone - self.curve("os", group, vector)
        inner = self._inner.get(endpoint, "")
        outer = self.curve(endpoint, group, vector)
        return outer - self.curve(inner, group, vector) if inner else outer


class Payoffs:
    """Turns traces into outcomes; the weight vectors are made once per study.

    Parameters
    ----------
    spec : Spec
        The study.
    timeline : Timeline
        Its cycle grid.
    qaly_years : iterable of float
        Years for the outcomes ``qaly_to:<year>``.
    equal_value : bool
        Whether equal-value life years are wanted; the outcome ``evly`` is NaN otherwise.
    """

    def __init__(
        self,
        spec: Spec,
        timeline: Timeline,
        qaly_years: Iterable[float] = (),
        *,
        equal_value: bool = True,
    ) -> None:
        self.spec = spec
        self.equal_value = equal_value
        self.timeline = timeline
        self.qaly_years = tuple(qaly_years)
        self._living = spec.living_states
        self._nested = spec.nested_endpoints
        self._vectors: list[FloatArray] = []
        self._vector_index: dict[bytes, int] = {}
        settings = spec.settings
        self._quality_time = timeline.person_time(settings.discount_rate_outcomes)
        self._plain_time = timeline.person_time(None)
        self._cost_time = timeline.person_time(settings.discount_rate_costs)
        self._life = self._vector(self._quality_time.weights())
        self._life_plain = self._vector(self._plain_time.weights())
        self._evly_factors = timeline.cycle_factors(settings.discount_rate_outcomes)
        self._costs = {s: self._plan_costs(s) for s in spec.strategy_ids()}
        self._utilities = {s: plan_utilities(spec, timeline, s) for s in spec.strategy_ids()}
        self._utility_vectors = {
            (strategy, state): [
                (
                    self._vector(self._quality_time.weights(plan.share)),
                    self._vector(self._plain_time.weights(plan.share)),
                )
                for plan in plans
            ]
            for strategy, by_state in self._utilities.items()
            for state, plans in by_state.items()
        }
        self._events = {s: self._events_of(s) for s in spec.strategy_ids()}
        self.names = self._names()
        self._column = {name: i for i, name in enumerate(self.names)}

    def on(self, project: Callable[[FloatArray], FloatArray]) -> None:
        """Carry every weight vector over to other times than all boundaries."""
        self._vectors = [project(vector) for vector in self._vectors]

    def run(
        self,
        trace: StrategyTrace,
        curves: CurveBlock,
        reference: FloatArray | None,
        out: FloatArray,
    ) -> None:
        """Fill ``out`` ``(outcome, draw)`` for one strategy.

        Parameters
        ----------
        trace : StrategyTrace
            The strategy's trace.
        curves : CurveBlock
            The block it was made from.
        reference : array ``(draw, cycle + 1)`` or None
            OS of the reference; None when this strategy is the reference.
        out : array ``(outcome, draw)``
            Overwritten.
        """
        out[:] = 0.0
        inner = self._inner_endpoints(trace)
        sums = _Sums(trace, self._vectors, inner)
        quality = Quality(self.spec, self.timeline, self._utilities[trace.strategy], trace, curves)
        self._life_years(sums, out)
        self._qalys(trace, sums, quality, curves, out)
        self._add_costs(trace, sums, curves, out)
        column = self._column
        evly = out[column["evly"]]
        if not self.equal_value:
            evly[:] = np.nan
            return
        evly += out[column["qaly"]]
        if reference is not None:
            evly += self._equal_value(trace, quality, reference, curves)

    def _inner_endpoints(self, trace: StrategyTrace) -> dict[str, str]:
        present = [e for e in self._nested if e in trace.endpoints]
        return {outer: inner for inner, outer in pairwise(present)}

    def _vector(self, weights: FloatArray) -> int:
        key = weights.tobytes()
        if key not in self._vector_index:
            self._vector_index[key] = len(self._vectors)
            self._vectors.append(weights)
        return self._vector_index[key]

    def _names(self) -> tuple[str, ...]:
        living = [state.id for state in self._living]
        states = [*living, self.spec.dead_state.id, EVENTS]
        categories = self.spec.categories()
        names = ["ly", "qaly", "evly", "cost"]
        names += ["ly_undiscounted", "qaly_undiscounted", "cost_undiscounted"]
        for suffix in ("", "_undiscounted"):
            names += [f"ly{suffix}:{state}" for state in living]
            names += [f"qaly{suffix}:{state}" for state in [*living, EVENTS]]
            names += [f"cost{suffix}:{category}" for category in categories]
            names += [f"cost_in{suffix}:{state}" for state in states]
        names += [f"qaly_to:{year:g}" for year in self.qaly_years]
        return tuple(names)

    # Life years and QALYs

    def _life_years(self, sums: _Sums, out: FloatArray) -> None:
        for suffix, vector in (("", self._life), ("_undiscounted", self._life_plain)):
            for state in self._living:
                part = sums.state(state.endpoint, ALL, vector)
                out[self._column[f"ly{suffix}:{state.id}"]] = part
                out[self._column[f"ly{suffix}"]] += part

    def _events_of(self, strategy: str) -> tuple[AdverseEvent, ...]:
        return tuple(e for e in self.spec.adverse_events if e.strategy in (ALL, strategy))

    def _qalys(
        self,
        trace: StrategyTrace,
        sums: _Sums,
        quality: Quality,
        curves: CurveBlock,
        out: FloatArray,
    ) -> None:
        column = self._column
        for state in self._living:
            plans = self._utilities[trace.strategy][state.id]
            vectors = self._utility_vectors[trace.strategy, state.id]
            for which, suffix in enumerate(("", "_undiscounted")):
                time = self._plain_time if suffix else self._quality_time
                if quality.by_cycle:
                    total = quality.qalys(state.id, time)
                else:
                    total = np.zeros(curves.rows)
                    for plan, vector in zip(plans, vectors, strict=True):
                        value = curves.values(plan.value)[:, 0]
                        total += value * sums.state(state.endpoint, ALL, vector[which])
                    total -= quality.capped_loss(state.id, time)
                out[column[f"qaly{suffix}:{state.id}"]] = total
                out[column[f"qaly{suffix}"]] += total
        lost = np.zeros(curves.rows)
        for event in self._events[trace.strategy]:
            loss = (
                curves.values(event.probability)[:, 0]
                * curves.values(event.disutility)[:, 0]
                * curves.values(event.duration_days)[:, 0]
                / DAYS_PER_YEAR
            )
            lost += loss * self._group_weight(trace, event.group)
        for suffix in ("", "_undiscounted"):
            out[column[f"qaly{suffix}:{EVENTS}"]] = -lost
            out[column[f"qaly{suffix}"]] -= lost
        for year in self.qaly_years:
            share = self.timeline.window(None, year, "year")
            total = -lost
            for state in self._living:
                total = total + quality.qalys(state.id, self._quality_time, share)
            out[column[f"qaly_to:{year:g}"]] = total

    def _group_weight(self, trace: StrategyTrace, group: str) -> FloatArray | float:
        if group == ALL:
            return 1.0
        if group not in trace.weights:
            raise ModelError(f"strategy {trace.strategy}: no group {group} among its curves")
        return trace.weights[group]

    # Equal-value life years

    def _pair_sum(self, curve: FloatArray, out: FloatArray) -> FloatArray:
        """P_k + P_{k+1} (trapezoid) or twice the one end: twice the person-time in cycles."""
        if self.timeline.correction == "trapezoid":
            return np.add(curve[:, :-1], curve[:, 1:], out=out)
        end = curve[:, :-1] if self.timeline.correction == "start" else curve[:, 1:]
        return np.add(end, end, out=out)

    def _equal_value(
        self,
        trace: StrategyTrace,
        quality: Quality,
        reference: FloatArray,
        curves: CurveBlock,
    ) -> FloatArray:
        """Σ_k v_k·max(0, L_k - L_k^ref)·(0.851 - ū_k) (methods 4)."""
        cycles = self.timeline.cycles
        alive = trace.endpoints["os"]
        life = self._pair_sum(alive, curves.array(cycles))
        longer = np.subtract(alive, reference, out=curves.array())
        gained = self._pair_sum(longer, curves.array(cycles))
        np.maximum(gained, 0.0, out=gained)
        weights = self._evly_factors * (self.timeline.length / 2)
        years = np.einsum("dk,k->d", gained, weights)
        total: FloatArray = self.spec.settings.evlyg_utility * years
        if life[:, -1].all():
            share = np.divide(gained, life, out=gained)
        else:
            share = np.divide(gained, life, out=np.zeros_like(gained), where=life > 0)
        present = [s for s in self._living if s.endpoint in trace.endpoints]
        inner: FloatArray | None = None
        for state, outer in zip(present, [*present[1:], None], strict=True):
            step = quality.utility(state.id)
            if outer is not None:
                step = step - quality.utility(outer.id)
            curve = trace.endpoints[state.endpoint]
            spent = life if outer is None else self._pair_sum(curve, curves.array(cycles))
            found = quality.excess(state.id)
            if found is not None:
                rows, excess = found
                in_state = spent[rows] if inner is None else spent[rows] - inner[rows]
                total[rows] += np.einsum("dk,dk,dk,k->d", share[rows], in_state, excess, weights)
            inner = spent
            if step.shape[1] == 1 and spent is life:
                total -= step[:, 0] * years
            elif step.shape[1] == 1:
                total -= step[:, 0] * np.einsum("dk,dk,k->d", share, spent, weights)
            else:
                total -= np.einsum("dk,dk,dk,k->d", share, spent, step, weights)
        return total

    # Costs

    def _plan_costs(self, strategy: str) -> tuple[_CostPlan, ...]:
        return tuple(self._plan_cost(cost) for cost in self.spec.costs_of(strategy))

    def _plan_cost(self, cost: Cost) -> _CostPlan:
        rate = self.spec.settings.discount_rate_costs
        scale = 1.0
        parts: tuple[_Part, ...] = ()
        if cost.trigger == "in_state":
            share = self.timeline.window(cost.start, cost.until, cost.time_unit)
            scale = UNITS_PER_YEAR[cost.per]
            parts = self._occupancy_parts(
                cost.state, self._cost_time.weights(share), self._plain_time.weights(share)
            )
        elif cost.trigger == "schedule":
            parts = self._occupancy_parts(
                cost.state, self._scheduled(cost, rate), self._scheduled(cost, None)
            )
        elif cost.trigger in ("entry", "exit"):
            endpoint = "os" if cost.trigger == "entry" else cost.state
            parts = (
                _Part(
                    EVENTS,
                    endpoint,
                    False,
                    self._vector(self.timeline.departures(rate)),
                    self._vector(self.timeline.departures(None)),
                ),
            )
        return _CostPlan(cost.category, cost.amount, scale, cost.group, parts)

    def _scheduled(self, cost: Cost, rate: DiscountRate | None) -> FloatArray:
        assert cost.every is not None
        return self.timeline.schedule(
            cost.start or 0.0, cost.every, cost.until, cost.time_unit, rate
        )

    def _occupancy_parts(
        self, place: str, discounted: FloatArray, plain: FloatArray
    ) -> tuple[_Part, ...]:
        """A state; the states under a nested endpoint; or an endpoint that has no state."""
        vectors = self._vector(discounted), self._vector(plain)
        states = {state.id: state.endpoint for state in self.spec.states}
        if place in states:
            return (_Part(place, states[place], True, *vectors),)
        nested = self._nested
        if place not in nested:
            return (_Part(EVENTS, place, False, *vectors),)
        under = self._living[: nested.index(place) + 1]
        return tuple(_Part(state.id, state.endpoint, True, *vectors) for state in under)

    def _add_costs(
        self, trace: StrategyTrace, sums: _Sums, curves: CurveBlock, out: FloatArray
    ) -> None:
        for plan in self._costs[trace.strategy]:
            amount = curves.values(plan.amount)[:, 0] * plan.scale
            weight = self._group_weight(trace, plan.group)
            if not plan.parts:
                once = amount * weight
                self._charge(out, plan.category, EVENTS, once, once)
            for part in plan.parts:
                take = sums.state if part.is_state else sums.curve
                self._charge(
                    out,
                    plan.category,
                    part.bucket,
                    amount * take(part.source, plan.group, part.discounted),
                    amount * take(part.source, plan.group, part.undiscounted),
                )
        for event in self._events[trace.strategy]:
            once = curves.values(event.probability)[:, 0] * curves.values(event.cost)[:, 0]
            once = once * self._group_weight(trace, event.group)
            self._charge(out, ADVERSE_EVENT_CATEGORY, EVENTS, once, once)

    def _charge(
        self,
        out: FloatArray,
        category: str,
        bucket: str,
        discounted: FloatArray,
        undiscounted: FloatArray,
    ) -> None:
        for suffix, amount in (("", discounted), ("_undiscounted", undiscounted)):
            out[self._column[f"cost{suffix}"]] += amount
            out[self._column[f"cost{suffix}:{category}"]] += amount
            out[self._column[f"cost_in{suffix}:{bucket}"]] += amount
