"""A second engine in plain loops, one draw and one cycle at a time, written from docs/methods.md.

It shares no code with ``heor.engine``: only the study's records and the expression evaluator.
Slow on purpose; a reader should be able to hold it against the methods page line by line.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import fdtrc, gammainc, gammaincc
from twin_structure import state_transition

from heor.spec.expressions import Expression
from heor.spec.records import (
    ADVERSE_EVENT_CATEGORY,
    ALL,
    UNITS_PER_YEAR,
    AdverseEvent,
    Cost,
    Curve,
    DiscountRate,
    KaplanMeier,
    LifeTable,
    Spec,
    Utility,
)

Row = list[float]


def twin(
    spec: Spec, values: Mapping[str, float], qaly_years: Sequence[float] = ()
) -> dict[str, dict[str, float]]:
    """All outcomes of one draw: strategy -> outcome name -> number."""
    model = Model(spec, values)
    results = {strategy: model.payoffs(strategy, qaly_years) for strategy in spec.strategy_ids()}
    reference = results[spec.settings.reference]
    for result in results.values():
        extra = 0.0
        if result is not reference:
            for k in range(model.cycles):
                longer = max(0.0, result.years[k] - reference.years[k])
                if longer > 0.0:
                    quality = result.quality[k] / result.years[k]
                    factor = model.cycle_factor(spec.settings.discount_rate_outcomes, k)
                    extra += factor * longer * (spec.settings.evlyg_utility - quality)
        result.outcomes["evly"] = result.outcomes["qaly"] + extra
    return {strategy: result.outcomes for strategy, result in results.items()}


@dataclass
class Trace:
    """The curves of one strategy in one draw, each a list over boundaries."""

    endpoints: dict[str, Row]
    groups: dict[tuple[str, str], Row]
    weights: dict[str, float]
    occupancy: dict[str, Row]
    crossing_years: float
    years: float

    @property
    def crossing_share(self) -> float:
        return self.crossing_years / self.years


@dataclass
class Payoffs:
    """Outcomes of a strategy, and the undiscounted years and QALYs of each cycle (for evLYs)."""

    years: Row
    quality: Row
    outcomes: dict[str, float] = field(default_factory=dict)


class Model:
    """One study at one set of parameter values."""

    def __init__(self, spec: Spec, values: Mapping[str, float]) -> None:
        self.spec = spec
        self.values = {name: np.array([float(value)]) for name, value in values.items()}
        self.known: dict[str, float] = {}
        self.norms: dict[float, float] = {}
        settings = spec.settings
        self.delta = settings.cycle_length
        self.cycles = math.ceil(settings.horizon / self.delta - 1e-9)
        self.times = [k * self.delta for k in range(self.cycles + 1)]
        self.horizon = self.cycles * self.delta
        self.inner = list(spec.nested_endpoints)
        self.background: Row = []
        #: age, share of men and share of the cohort of the people at the start
        self.people = [
            (self.number(part.age), self.number(part.male_share), self.number(part.share))
            for part in spec.cohort
        ]
        if settings.start_age is not None and settings.male_share is not None:
            self.people = [(self.number(settings.start_age), self.number(settings.male_share), 1.0)]
        if spec.life_table is not None and self.people:
            self.background = [sum(s for _, _, s in self.alive(t)) for t in self.times]
            if settings.smr_of == "cohort":
                self.background = [n ** self.number(settings.smr) for n in self.background]

    def number(self, expression: Expression) -> float:
        """An expression's value in this draw."""
        if expression.text not in self.known:
            self.known[expression.text] = float(expression.evaluate(self.values, 1)[0])
        return self.known[expression.text]

    def optional(self, expression: Expression | None, default: float) -> float:
        return default if expression is None else self.number(expression)

    # --- background mortality and norms (methods 1.7, 4) ---------------------------------

    def alive(self, t: float) -> list[tuple[float, str, float]]:
        """Who is left of the general population at t: age at the start, sex, share of everybody."""
        table = self.spec.life_table
        assert table is not None
        left = []
        for age, male, share in self.people:
            for sex, part in (("male", share * male), ("female", share * (1 - male))):
                hazard = _hazard_between(table, sex, age, t, self.spec.settings.start_year)
                left.append((age, sex, part * math.exp(-hazard)))
        return left

    def norm(self, t: float) -> float:
        """Population utility norm at t, weighted by those who are left."""
        if t not in self.norms:
            table = self.spec.life_table
            assert table is not None
            left, total = self.alive(t), 0.0
            for age, sex, share in left:
                row = min(int(math.floor(age + t + 1e-9) - table.age[0]), len(table.age) - 1)
                norms = table.utility_male if sex == "male" else table.utility_female
                if table.year is not None:
                    norms = norms[_year_row(table, self.spec.settings.start_year, t + 1e-9)]
                total += share * float(norms[row])
            self.norms[t] = total / sum(share for _, _, share in left)
        return self.norms[t]

    # --- curves (methods 1.2, 1.6, 2) ----------------------------------------------------

    def family(self, curve: Curve, u: float) -> float:
        """Step 1 at time u of the curve's unit: the family, or Kaplan-Meier and then its tail."""
        if u <= 0.0:
            return 1.0
        parameters = {name: self.number(e) for name, e in curve.parameters.items()}
        key = (curve.strategy, curve.endpoint, curve.group)
        if curve.family == "kaplan_meier":
            return _step(self.spec.km[key], u, curve.time_unit)
        if curve.km_until is not None:
            until = self.number(curve.km_until)
            if u <= until:
                return _step(self.spec.km[key], u, curve.time_unit)
            level = _step(self.spec.km[key], until, curve.time_unit)
            at_until = survival(curve.family, parameters, until, curve.scale)
            at_time = survival(curve.family, parameters, u, curve.scale)
            return level * at_time / at_until if at_until else 0.0
        return survival(curve.family, parameters, u, curve.scale)

    def uncured(self, curve: Curve) -> Row:
        """Steps 1 to 3."""
        unit = UNITS_PER_YEAR[curve.time_unit]
        delay = self.optional(curve.delay, 0.0)
        acceleration = self.optional(curve.acceleration, 1.0)
        s = [
            1.0 if t * unit <= delay else self.family(curve, (t * unit - delay) / acceleration)
            for t in self.times
        ]
        if curve.hazard_ratio is None:
            return s
        ratio = self.number(curve.hazard_ratio)
        if curve.hr_until is None:
            return [x**ratio for x in s]
        start = self.optional(curve.hr_from, 0.0) / unit
        until = self.number(curve.hr_until) / unit
        out, hazard = [1.0], 0.0
        for k in range(self.cycles):
            if s[k + 1] <= 0.0:
                out.append(0.0)
                continue
            mean = _mean_ratio(ratio, start, until, self.times[k], self.times[k + 1])
            hazard += mean * (math.log(s[k]) - math.log(s[k + 1]))
            out.append(math.exp(-hazard))
        return out

    def cured(self, curve: Curve) -> Row:
        """Steps 1 to 4."""
        share = self.optional(curve.cure_fraction, 0.0)
        return [share + (1 - share) * s for s in self.uncured(curve)]

    def early(self, curve: Curve) -> Row:
        """The factor of step 6."""
        if curve.early_mortality is None:
            return [1.0] * len(self.times)
        assert curve.early_period is not None
        died = self.number(curve.early_mortality)
        period = self.number(curve.early_period) / UNITS_PER_YEAR[curve.time_unit]
        return [1 - died * min(t / period, 1.0) for t in self.times]

    def post_progression(self, curve: Curve, pfs: Row) -> Row:
        """Step 5 (methods 1.5)."""
        unit = UNITS_PER_YEAR[curve.time_unit]
        alive = 1 - self.optional(curve.pfs_death_share, 0.0)
        parameters = {name: self.number(e) for name, e in curve.pps_parameters.items()}
        if curve.pps_family == "exponential":
            x = parameters["rate"] * self.delta * unit
            spread = -math.expm1(-x) / x if x else 1.0
            progressed = [0.0]
            for k in range(self.cycles):
                progressed.append(
                    progressed[k] * math.exp(-x) + alive * (pfs[k] - pfs[k + 1]) * spread
                )
        else:
            pps = [
                survival(
                    curve.pps_family, parameters, (j + 0.5) * self.delta * unit, curve.pps_scale
                )
                for j in range(self.cycles)
            ]
            progressed = [
                alive * sum((pfs[j] - pfs[j + 1]) * pps[k - j - 1] for j in range(k))
                for k in range(self.cycles + 1)
            ]
        return [a + b for a, b in zip(pfs, progressed, strict=True)]

    def before_background(self, curve: Curve, curves: Mapping[tuple[str, str], Curve]) -> Row:
        """Steps 1 to 6."""
        if curve.family == "post_progression":
            s = self.post_progression(curve, self.cured(curves["pfs", curve.group]))
        else:
            s = self.cured(curve)
        s = [a * b for a, b in zip(s, self.early(curve), strict=True)]
        if curve.hazard == "excess":
            return [a * n for a, n in zip(s, self.background, strict=True)]
        return s

    def with_background(self, curve: Curve, s: Row, curves: Mapping[tuple[str, str], Curve]) -> Row:
        """Step 7, on overall survival only; a post_progression OS is cured as its PFS is."""
        method = self.spec.settings.background_mortality
        if method == "none" or curve.endpoint != self.inner[-1] or curve.hazard == "excess":
            return s
        if method == "add":
            return [a * n for a, n in zip(s, self.background, strict=True)]
        after = curve.family == "post_progression"
        source = curves["pfs", curve.group] if after else curve
        share = self.optional(source.cure_fraction, 0.0)
        if not share:
            return _floor(s, self.background)
        smr = self.number(self.spec.settings.smr)
        if self.spec.settings.smr_of == "cohort":
            smr = 1.0  # the population's survival has it already
        e = self.early(curve)
        u = self.uncured(source)
        u = self.post_progression(curve, u) if after else u
        uncured = _floor([a * b for a, b in zip(u, e, strict=True)], self.background)
        return [
            e[k] * share * self.background[k] ** smr + (1 - share) * uncured[k]
            for k in range(len(s))
        ]

    def averaged(
        self, used: Mapping[tuple[str, str], Curve], key: tuple[str, str]
    ) -> tuple[Row, Row]:
        """Methods 1.9: a group's curve before and after step 7, averaged over candidates."""
        members = used[key].average or (used[key],)
        found = [self.finished({**used, key: one}, key) for one in members]
        if len(members) == 1:
            return found[0]
        weights = [self.optional(one.average_weight, 0.0) for one in members]
        total = sum(weights)
        steps = range(len(self.times))
        before, after = (
            [
                sum(w * one[which][k] for w, one in zip(weights, found, strict=True)) / total
                for k in steps
            ]
            for which in (0, 1)
        )
        return before, after

    def finished(
        self, used: Mapping[tuple[str, str], Curve], key: tuple[str, str]
    ) -> tuple[Row, Row]:
        """One candidate before and after step 7, with waning in both."""
        c = used[key]
        before = self.before_background(c, used)
        after = self.with_background(c, before, used)
        if not c.wane_to:
            return before, after
        theirs = {(x.endpoint, x.group): x for x in self.spec.curves_in_use(c.wane_to)}
        other = self.averaged(theirs, key)
        return self.waned(c, before, other[0]), self.waned(c, after, other[1])

    def waned(self, curve: Curve, own: Row, other: Row) -> Row:
        """Methods 1.8: the curve's hazard, or the curve itself, moves to another's."""
        unit = UNITS_PER_YEAR[curve.time_unit]
        assert curve.wane_from is not None
        start = self.number(curve.wane_from) / unit
        until = self.optional(curve.wane_until, start * unit) / unit
        out = [own[0]]
        for k in range(self.cycles):
            if curve.wane == "survival":
                lost = min(max((self.times[k + 1] - start) / (until - start), 0.0), 1.0)
                out.append(min(out[k], (1 - lost) * own[k + 1] + lost * other[k + 1]))
                continue
            lost = _mean_ratio(0.0, start, until, self.times[k], self.times[k + 1])
            mine = own[k + 1] / own[k] if own[k] > 0 else 0.0
            theirs = other[k + 1] / other[k] if other[k] > 0 else 0.0
            out.append(out[k] * mine ** (1 - lost) * theirs**lost)
        return out

    # --- the trace (methods 1.1, 1.2 steps 8 and 9, 1.3) ---------------------------------

    def trace(self, strategy: str) -> Trace:
        """Curves, occupancy and crossing of one strategy."""
        spec = self.spec
        used = {(c.endpoint, c.group): c for c in spec.curves_in_use(strategy)}
        weights = {c.group: self.number(c.weight) for c in used.values()}
        raw, groups = {}, {}
        for key in used:
            raw[key], groups[key] = self.averaged(used, key)
        present = [e for e in self.inner if any(endpoint == e for endpoint, _ in used)]
        grouped = {e: {g for endpoint, g in used if endpoint == e} != {ALL} for e in present}
        pairs = list(itertools.pairwise(present))
        within = [(a, b) for a, b in pairs if grouped[a] == grouped[b]]

        moved = 0.0
        for inner, outer in within:
            for endpoint, group in used:
                if endpoint == inner:
                    over = _excess(raw[inner, group], raw[outer, group])
                    moved += weights[group] * self.area(over)
        raw_mixed = {e: self.mix(e, raw, weights) for e in present}
        for inner, outer in pairs:
            if (inner, outer) not in within:
                moved += self.area(_excess(raw_mixed[inner], raw_mixed[outer]))

        for inner, outer in self.in_order(within):
            for endpoint, group in used:
                if endpoint == inner:
                    self.nest(groups, (inner, group), (outer, group))
        if spec.settings.structure != "partitioned_survival":
            self.restructure(used, groups)
        endpoints = {e: self.mix(e, groups, weights) for e, _ in used}
        for inner, outer in self.in_order(pairs):
            self.nest(endpoints, inner, outer)

        occupancy = _states(spec, {e: endpoints.get(e) for e in self.inner}, len(self.times))
        years = self.area(endpoints[self.inner[-1]])
        return Trace(endpoints, groups, weights, occupancy, moved, years)

    def restructure(
        self, used: Mapping[tuple[str, str], Curve], groups: dict[tuple[str, str], Row]
    ) -> None:
        """Methods 9, after the caps and before mixing."""
        for endpoint, group in used:
            if endpoint == "pfs":
                rows = used["pfs", group], used["os", group]
                pair = groups["pfs", group], groups["os", group]
                pfs, os = state_transition(self, *rows, *pair, survival)
                groups["pfs", group], groups["os", group] = pfs, os
                for inner in self.inner[:-2]:
                    if (inner, group) in groups:
                        pairs = zip(groups[inner, group], pfs, strict=True)
                        groups[inner, group] = [min(a, b) for a, b in pairs]

    def in_order(self, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Capping works from the outside in; raising from the inside out."""
        return pairs if self.spec.settings.crossing == "keep_higher" else pairs[::-1]

    def nest(self, curves: dict, inner: object, outer: object) -> None:
        """Step 8 for one pair."""
        pairs = list(zip(curves[inner], curves[outer], strict=True))
        if self.spec.settings.crossing == "keep_higher":
            curves[outer] = [max(a, b) for a, b in pairs]
        else:
            curves[inner] = [min(a, b) for a, b in pairs]

    def mix(
        self, endpoint: str, curves: Mapping[tuple[str, str], Row], weights: Mapping[str, float]
    ) -> Row:
        """Step 9."""
        out = [0.0] * len(self.times)
        for (name, group), s in curves.items():
            if name == endpoint:
                out = [a + weights[group] * b for a, b in zip(out, s, strict=True)]
        return out

    # --- time and discounting (methods 3) ------------------------------------------------

    def area(self, s: Row) -> float:
        """Undiscounted person-years under a curve."""
        return sum(self.delta * self.rule(s[k], s[k + 1]) for k in range(self.cycles))

    def rule(self, first: float, second: float) -> float:
        """The cycle correction applied to a pair of boundary values."""
        correction = self.spec.settings.cycle_correction
        if correction == "start":
            return first
        if correction == "end":
            return second
        assert correction == "trapezoid"
        return (first + second) / 2

    def moment_factor(self, rate: DiscountRate, t: float) -> float:
        """Discount factor at a moment."""
        if self.spec.settings.discounting == "annual":
            t = math.floor(t + 1e-9)
        if rate.step_year is None or rate.later is None:
            return (1 + rate.first) ** -t
        return (1 + rate.first) ** -min(t, rate.step_year) * (1 + rate.later) ** -max(
            0.0, t - rate.step_year
        )

    def cycle_factor(self, rate: DiscountRate, k: int) -> float:
        """v_k."""
        t = self.times[k]
        method = self.spec.settings.discounting
        if method == "mid_cycle":
            return self.moment_factor(rate, t + self.delta / 2)
        if method == "continuous":
            return self.rule(
                self.moment_factor(rate, t), self.moment_factor(rate, self.times[k + 1])
            )
        return self.moment_factor(rate, t)

    def discounted_time(self, rate: DiscountRate | None, s: Row, k: int) -> float:
        """Person-years of cycle k under a curve; undiscounted when the rate is None."""
        if rate is None:
            return self.delta * self.rule(s[k], s[k + 1])
        if self.spec.settings.discounting == "continuous":
            return self.delta * self.rule(
                self.moment_factor(rate, self.times[k]) * s[k],
                self.moment_factor(rate, self.times[k + 1]) * s[k + 1],
            )
        return self.cycle_factor(rate, k) * self.delta * self.rule(s[k], s[k + 1])

    def inside(self, k: int, start: float, until: float) -> float:
        """Share of cycle k inside a window in years."""
        low, high = self.times[k], self.times[k + 1]
        return max(0.0, min(high, until) - max(low, start)) / (high - low)

    # --- payoffs (methods 4, 5) ----------------------------------------------------------

    def payoffs(self, strategy: str, qaly_years: Sequence[float]) -> Payoffs:
        """Every outcome of one strategy but ``evly``."""
        spec, trace = self.spec, self.trace(strategy)
        living = [state.id for state in spec.living_states]
        states = [state.id for state in spec.states]
        out: dict[str, float] = {}
        rate = spec.settings.discount_rate_outcomes
        years, quality = [0.0] * self.cycles, [0.0] * self.cycles
        to_year = dict.fromkeys(qaly_years, 0.0)

        for state in living:
            s = trace.occupancy[state]
            utilities = self.utilities(strategy, state)
            totals = dict.fromkeys(("ly", "ly_undiscounted", "qaly", "qaly_undiscounted"), 0.0)
            for k in range(self.cycles):
                plain, discounted = (
                    self.discounted_time(None, s, k),
                    self.discounted_time(rate, s, k),
                )
                totals["ly"] += discounted
                totals["ly_undiscounted"] += plain
                totals["qaly"] += utilities[k] * discounted
                totals["qaly_undiscounted"] += utilities[k] * plain
                years[k] += plain
                quality[k] += utilities[k] * plain
                for year in qaly_years:
                    to_year[year] += self.inside(k, 0.0, year) * utilities[k] * discounted
            for name, total in totals.items():
                out[f"{name}:{state}"] = total

        events = [e for e in spec.adverse_events if e.strategy in (ALL, strategy)]
        loss = -sum(self.event_loss(e, trace) for e in events)
        for suffix in ("", "_undiscounted"):
            out[f"qaly{suffix}:events"] = loss
            out[f"ly{suffix}"] = sum(out[f"ly{suffix}:{state}"] for state in living)
            out[f"qaly{suffix}"] = sum(out[f"qaly{suffix}:{state}"] for state in living) + loss
        for year, total in to_year.items():
            out[f"qaly_to:{year:g}"] = total + loss

        for suffix, cost_rate in (
            ("", spec.settings.discount_rate_costs),
            ("_undiscounted", None),
        ):
            by_category = dict.fromkeys(spec.categories(), 0.0)
            by_state = dict.fromkeys([*states, "events"], 0.0)
            for cost in spec.costs_of(strategy):
                amount = self.number(cost.amount)
                for place, quantity in self.quantities(cost, trace, cost_rate).items():
                    by_category[cost.category] += amount * quantity
                    by_state[place] += amount * quantity
            for event in events:
                paid = self.number(event.probability) * self.number(event.cost)
                paid *= self.group_weight(event.group, trace)
                by_category[ADVERSE_EVENT_CATEGORY] += paid
                by_state["events"] += paid
            out.update({f"cost{suffix}:{name}": x for name, x in by_category.items()})
            out.update({f"cost_in{suffix}:{name}": x for name, x in by_state.items()})
            out[f"cost{suffix}"] = sum(by_category.values())
        return Payoffs(years, quality, out)

    def utilities(self, strategy: str, state: str) -> Row:
        """Utility of a state in each cycle, age-adjusted and capped."""
        rows = [u for u in self.spec.utilities if u.state == state]
        own = [u for u in rows if u.strategy == strategy]
        shared = [u for u in rows if u.strategy == ALL]
        settings, out = self.spec.settings, []
        for k in range(self.cycles):
            t = self.times[k]
            cuts = {t, self.times[k + 1]}
            for row in rows:
                cuts.update(edge for edge in _window(row) if t < edge < self.times[k + 1])
            edges = sorted(cuts)
            total = 0.0
            for low, high in itertools.pairwise(edges):
                middle = (low + high) / 2
                row = next(u for u in [*own, *shared] if _window(u)[0] <= middle < _window(u)[1])
                value = self.number(row.value)
                if settings.age_adjusted_utilities:
                    value *= self.norm(t + self.delta / 2) / self.norm(0.0)
                if settings.utility_cap == "population_norm":
                    value = min(value, self.norm(t + self.delta / 2))
                total += value * (high - low) / (edges[-1] - edges[0])
            out.append(total)
        return out

    def group_weight(self, group: str, trace: Trace) -> float:
        return 1.0 if group in ("", ALL) else trace.weights[group]

    def event_loss(self, event: AdverseEvent, trace: Trace) -> float:
        """QALYs lost to one adverse event, at t = 0."""
        return (
            self.group_weight(event.group, trace)
            * self.number(event.probability)
            * self.number(event.disutility)
            * self.number(event.duration_days)
            / 365.25
        )

    def quantities(self, cost: Cost, trace: Trace, rate: DiscountRate | None) -> dict[str, float]:
        """How many times an item's amount is paid, by where it is shown (state or events)."""
        if cost.trigger == "start":
            return {"events": self.group_weight(cost.group, trace)}
        unit = UNITS_PER_YEAR[cost.time_unit or "year"]
        start = (cost.start or 0.0) / unit
        until = math.inf if cost.until is None else cost.until / unit
        curves = self.cost_curves(cost, trace)
        if cost.trigger == "in_state":
            per = UNITS_PER_YEAR[cost.per]
            return {
                place: per
                * sum(
                    self.inside(k, start, until) * self.discounted_time(rate, s, k)
                    for k in range(self.cycles)
                )
                for place, s in curves.items()
            }
        if cost.trigger == "schedule":
            assert cost.every is not None
            out = dict.fromkeys(curves, 0.0)
            j = 0
            while (t := start + j * cost.every / unit) < min(until, self.horizon) - 1e-9:
                factor = 1.0 if rate is None else self.moment_factor(rate, t)
                for place, s in curves.items():
                    out[place] += factor * self.at(s, t)
                j += 1
            return out
        if cost.trigger == "entry":
            (s,) = curves.values()
            steps = [s[k + 1] - s[k] for k in range(self.cycles)]
        else:
            assert cost.trigger == "exit"
            s = [sum(column) for column in zip(*curves.values(), strict=True)]
            steps = [s[k] - s[k + 1] for k in range(self.cycles)]
        factors = [1.0 if rate is None else self.cycle_factor(rate, k) for k in range(self.cycles)]
        return {"events": sum(factors[k] * steps[k] for k in range(self.cycles))}

    def cost_curves(self, cost: Cost, trace: Trace) -> dict[str, Row]:
        """The curves an item runs along, by the state in which its cost is shown."""
        spec = self.spec
        if cost.group in ("", ALL):
            occupancy, curves = trace.occupancy, trace.endpoints
        else:
            weight = trace.weights[cost.group]
            curves = {
                e: [weight * x for x in s] for (e, g), s in trace.groups.items() if g == cost.group
            }
            endpoints = {e: curves.get(e) for e in self.inner}
            occupancy = _states(spec, endpoints, len(self.times), weight)
        if cost.state in self.inner:
            under = self.inner[: self.inner.index(cost.state) + 1]
            return {s.id: occupancy[s.id] for s in spec.living_states if s.endpoint in under}
        if cost.state in occupancy:
            return {cost.state: occupancy[cost.state]}
        return {"events": curves.get(cost.state, [0.0] * len(self.times))}

    def at(self, s: Row, t: float) -> float:
        """A curve at a moment, linear between boundaries."""
        k = min(int(t / self.delta), self.cycles - 1)
        share = (t - self.times[k]) / self.delta
        return (1 - share) * s[k] + share * s[k + 1]


# --- small pieces --------------------------------------------------------------------------


def survival(family: str, p: Mapping[str, float], t: float, scale: str = "") -> float:
    """S(t) of a parametric family (methods 2); the scale is a spline's."""
    if t <= 0.0:
        return 1.0
    if family == "exponential":
        return math.exp(-p["rate"] * t)
    if family == "weibull":
        return math.exp(-((t / p["scale"]) ** p["shape"]))
    if family == "gompertz":
        a, b = p["shape"], p["rate"]
        return math.exp(-b * t if a == 0.0 else -b / a * math.expm1(a * t))
    if family == "loglogistic":
        return 1 / (1 + (t / p["scale"]) ** p["shape"])
    if family == "lognormal":
        return _normal_tail((math.log(t) - p["meanlog"]) / p["sdlog"])
    if family == "gamma":
        return float(gammaincc(p["shape"], p["rate"] * t))
    if family == "gengamma":
        q = p["Q"]
        w = (math.log(t) - p["mu"]) / p["sigma"]
        if abs(q) < 5e-6:
            density = math.exp(-w * w / 2) / math.sqrt(2 * math.pi)
            return _normal_tail(w) - q * density * (w * w + 2) / 6
        u = math.exp(q * w) / q**2
        return float(gammaincc(q**-2, u) if q > 0 else gammainc(q**-2, u))
    if family == "genf":
        # e^(δw) has an F distribution of 2 s1 and 2 s2 degrees of freedom
        delta = math.sqrt(p["Q"] ** 2 + 2 * p["P"])
        w = (math.log(t) - p["mu"]) / p["sigma"]
        s1 = 2 / (delta**2 + p["Q"] * delta)
        s2 = 2 / (delta**2 - p["Q"] * delta)
        return float(fdtrc(2 * s1, 2 * s2, math.exp(delta * w)))
    if family == "spline":
        eta = _spline(p, math.log(t))
        if scale == "hazard":
            return math.exp(-math.exp(eta))
        return 1 / (1 + math.exp(eta)) if scale == "odds" else _normal_tail(eta)
    raise AssertionError(family)


def _spline(p: Mapping[str, float], x: float) -> float:
    """Natural cubic spline of x = ln t (methods 2)."""
    knots = [p[name] for name in sorted(p) if name.startswith("knot")]
    low, high = knots[0], knots[-1]
    total = p["gamma0"] + p["gamma1"] * x
    for j in range(1, len(knots) - 1):
        share = (high - knots[j]) / (high - low)
        bend = max(0.0, x - knots[j]) ** 3
        bend -= share * max(0.0, x - low) ** 3 + (1 - share) * max(0.0, x - high) ** 3
        total += p[f"gamma{j + 1}"] * bend
    return total


def _normal_tail(w: float) -> float:
    return math.erfc(w / math.sqrt(2)) / 2


def _step(km: KaplanMeier, time: float, unit: str) -> float:
    """A Kaplan-Meier table at a time of the given unit: steps, right-continuous to rounding."""
    time *= UNITS_PER_YEAR[km.time_unit] / UNITS_PER_YEAR[unit]
    level = 1.0
    for t, s in zip(km.time, km.survival, strict=True):
        if t <= time * (1 + 1e-9):
            level = float(s)
    return level


def _mean_ratio(ratio: float, start: float, until: float, low: float, high: float) -> float:
    """Mean over [low, high] of a ratio constant to ``start``, then linear to 1 at ``until``."""

    def integral(t: float) -> float:
        total = ratio * min(t, start)
        if t > start and until > start:
            x = min(t, until) - start
            total += ratio * x + (1 - ratio) * x * x / (2 * (until - start))
        return total + max(0.0, t - max(start, until))

    return (integral(high) - integral(low)) / (high - low)


def _hazard_between(
    table: LifeTable, sex: str, age: float, t: float, start_year: float | None
) -> float:
    """Cumulative hazard from 0 to t of a sex of an age at the start, birthday by birthday.

    Where the table has calendar years, new year by new year too.
    """
    rates = table.male if sex == "male" else table.female
    total, now = 0.0, 0.0
    while now < t:
        until = min(t, math.floor(age + now + 1e-9) + 1.0 - age)
        q = rates
        if table.year is not None:
            assert start_year is not None
            until = min(until, math.floor(start_year + now + 1e-9) + 1.0 - start_year)
            q = rates[_year_row(table, start_year, now + 1e-9)]
        row = min(math.floor(age + now + 1e-9) - int(table.age[0]), len(q) - 1)
        while q[row] >= 1:
            row -= 1
        total -= (until - now) * math.log(1 - float(q[row]))
        now = until
    return total


def _year_row(table: LifeTable, start_year: float | None, t: float) -> int:
    """Row of the calendar year at t; the last one holds beyond the table."""
    assert table.year is not None
    assert start_year is not None
    return min(math.floor(start_year + t) - int(table.year[0]), len(table.year) - 1)


def _floor(s: Row, n: Row) -> Row:
    """Methods 1.7: hazards never below the population's."""
    out = [1.0]
    for k in range(len(s) - 1):
        ratio = s[k + 1] / s[k] if s[k] > 0 else 0.0
        out.append(out[k] * min(ratio, n[k + 1] / n[k]))
    return out


def _excess(inner: Row, outer: Row) -> Row:
    return [max(0.0, a - b) for a, b in zip(inner, outer, strict=True)]


def _states(
    spec: Spec, endpoints: Mapping[str, Row | None], length: int, whole: float = 1.0
) -> dict[str, Row]:
    """Occupancy: areas between neighbouring endpoints; dead is the rest of the ``whole``."""
    below = [0.0] * length
    out: dict[str, Row] = {}
    for state in spec.living_states:
        curve = endpoints[state.endpoint]
        above = below if curve is None else curve
        out[state.id] = [a - b for a, b in zip(above, below, strict=True)]
        below = above
    out[spec.dead_state.id] = [whole - s for s in below]
    return out


def _window(row: Utility) -> tuple[float, float]:
    """[from, until) in years."""
    unit = UNITS_PER_YEAR[row.time_unit or "year"]
    return row.start / unit, math.inf if row.until is None else row.until / unit
