"""The inputs and traces that result sheets read, as plain numbers of the engine in cells.

It stands in for the sheets of inputs, time and traces, so that the sheets from traces to ICER can
be tested on studies that have no tables.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from heor.analyses import base_case
from heor.engine.evaluate import traces
from heor.engine.mortality import norms
from heor.engine.timeline import Timeline
from heor.report.live import GRID_ROW, Column, cell
from heor.report.sheets import (
    base_case as results_sheet,
)
from heor.report.sheets import (
    calc_cea,
    calc_costs,
    calc_price,
    calc_qalys,
    calc_quality,
    calc_schedules,
    costs_qalys,
)
from heor.report.sheets.layout import Context
from heor.report.xlsx import Book, Sheet, Style
from heor.spec import draws as draw_sets
from heor.spec.records import UNITS_PER_YEAR, Spec

NUMBER = Style("value")
FAR = 1e6
#: Rows that the grids have beyond the horizon, for a longer one.
SPARE = 4


class Registry:
    """Writes numbers into cells and makes them known to a context."""

    def __init__(self, spec: Spec, book: Book) -> None:
        self.spec = spec
        results: Any = SimpleNamespace(
            spec=spec,
            version="0",
            banner=(),
            base=base_case.run(spec),
            accrual=(),
            scenarios=(),
            psa=None,
            record=SimpleNamespace(seed=1),
        )
        self.draws = draw_sets.base(spec)
        self.ctx = Context(results, book, traces(spec, self.draws), {})
        self.sheet: Sheet = book.sheet("Inputs as numbers")
        self.grid: Sheet = book.sheet("Calc Columns")
        self.timeline = Timeline(spec.settings)
        self._settings()
        self._tables()
        self._time()
        self._traces()

    def live(self, key: str, value: float | str) -> None:
        row = len(self.ctx.live)
        self.sheet.text(row, 0, key)
        self.sheet.cell(row, 1, value, NUMBER)
        self.ctx.live[key] = cell(self.sheet, row, 1, value)

    def value(self, expression: Any) -> float:
        return float(expression.evaluate(self.draws.values, 1)[0])

    def column(self, key: str, values: np.ndarray, fill: float = 0.0) -> None:
        rows = self.timeline.cycles + 1 + SPARE
        padded = np.concatenate([values, np.full(rows - len(values), fill)]).astype(float)
        place = len(self.ctx.columns)
        self.grid.text(0, place, key)
        self.grid.block(GRID_ROW, place, padded[:, None], [NUMBER])
        self.ctx.columns[key] = Column(self.grid, place, GRID_ROW, padded)

    def _settings(self) -> None:
        settings = self.spec.settings
        for name, value in self.draws.values.items():
            self.live(f"param {name}", float(value[0]))
        self.live("scenario", "none")
        self.live("cycle", settings.cycle_length)
        self.live("horizon", settings.horizon)
        self.live("cycles", float(self.timeline.cycles))
        for name in ("cycle_correction", "discounting", "utility_cap"):
            self.live(name, getattr(settings, name))
        self.live("age_adjusted_utilities", "yes" if settings.age_adjusted_utilities else "no")
        for kind in ("costs", "outcomes"):
            rate = getattr(settings, f"discount_rate_{kind}")
            self.live(f"rate {kind} first", rate.first)
            self.live(f"rate {kind} step", rate.step_year or 0.0)
            self.live(f"rate {kind} later", rate.first if rate.later is None else rate.later)
        self.live("evlyg_utility", settings.evlyg_utility)
        self.live("severity_weight", settings.severity_weight)
        for place, threshold in enumerate(settings.thresholds):
            self.live(f"threshold {place}", threshold)
        for unit, per_year in UNITS_PER_YEAR.items():
            self.live(f"per year {unit}", per_year)

    def _window(self, key: str, row: Any) -> None:
        per_year = UNITS_PER_YEAR.get(row.time_unit, 1.0)
        self.live(f"{key} from", (row.start or 0.0) / per_year)
        self.live(f"{key} until", FAR if row.until is None else row.until / per_year)

    def _tables(self) -> None:
        for i, row in enumerate(self.spec.utilities):
            self.live(f"utilities {i} value", self.value(row.value))
            self._window(f"utilities {i}", row)
        for i, item in enumerate(self.spec.costs):
            self.live(f"costs {i} amount", self.value(item.amount))
            self.live(f"costs {i} per", UNITS_PER_YEAR[item.per] if item.per else 1.0)
            every = 1.0 if item.every is None else item.every / UNITS_PER_YEAR[item.time_unit]
            self.live(f"costs {i} every", every)
            self._window(f"costs {i}", item)
        for i, event in enumerate(self.spec.adverse_events):
            for name in ("probability", "cost", "disutility", "duration_days"):
                self.live(f"adverse_events {i} {name}", self.value(getattr(event, name)))

    def _time(self) -> None:
        timeline, settings = self.timeline, self.spec.settings
        rows = timeline.cycles + 1 + SPARE
        times = np.arange(rows) * timeline.length
        self.column("t", times)
        self.column("inside", np.ones(timeline.cycles))
        sides = {
            "costs": settings.discount_rate_costs,
            "outcomes": settings.discount_rate_outcomes,
            "plain": None,
        }
        for side, rate in sides.items():
            time = timeline.person_time(rate)
            self.column(f"factor {side}", timeline.cycle_factors(rate))
            self.column(f"left {side}", time.left)
            self.column(f"right {side}", time.right)
            self.column(f"weight {side}", time.weights())
        table = self.spec.life_table
        if table is None or settings.start_age is None:
            return
        age = np.array([self.value(settings.start_age)])
        male = np.array([self.value(settings.male_share)])
        middle = times + timeline.length / 2
        self.column("norm", norms(table, age, male, middle)[0])
        self.live("norm start", float(norms(table, age, male, np.zeros(1))[0, 0]))

    def _traces(self) -> None:
        for strategy, trace in self.ctx.traces.items():
            for (endpoint, group), curve in trace.group_curves.items():
                self.column(f"group {strategy} {endpoint} {group}", curve[0], curve[0, -1])
            for endpoint, curve in trace.endpoints.items():
                self.column(f"endpoint {strategy} {endpoint}", curve[0], curve[0, -1])
            for state, share in trace.occupancy.items():
                self.column(f"state {strategy} {state}", share[0], share[0, -1])
            for group, weight in trace.weights.items():
                self.live(f"weight {strategy} {group}", float(weight[0]))


def write_payoffs(spec: Spec, book: Book) -> Context:
    """Write every sheet from traces to ICER over the numbers of a study at its base values."""
    ctx = Registry(spec, book).ctx
    calc_quality.write_quality(ctx, book.sheet("Calc Quality"))
    calc_qalys.write_qalys(ctx, book.sheet("Calc QALYs"))
    if calc_schedules.used_items(spec, "in_state"):
        calc_schedules.write_windows(ctx, book.sheet(calc_schedules.WINDOWS))
    if calc_schedules.used_items(spec, "schedule"):
        calc_schedules.write_schedules(ctx, book.sheet(calc_schedules.SCHEDULES))
    if calc_price.moves_costs_only(spec):
        calc_price.write_prices(ctx, book.sheet(calc_price.TITLE))
    calc_costs.write_costs(ctx, book.sheet(calc_costs.TITLE))
    costs_qalys.write_costs_qalys(ctx, book.sheet("Costs & QALYs"))
    if len(spec.strategies) > 1:
        calc_cea.write_cea(ctx, book.sheet(calc_cea.TITLE))
    results_sheet.write_results(ctx, book.sheet("Results"))
    return ctx


def with_fourth_strategy(spec: Spec) -> Spec:
    """The study with its last strategy once more under another id, and nothing else changed."""
    last = spec.strategies[-1].id
    copy = f"{last}_again"

    def more(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        again = [replace(row, strategy=copy) for row in rows if row.strategy == last]
        return (*rows, *again)

    return replace(
        spec,
        strategies=(*spec.strategies, replace(spec.strategies[-1], id=copy, label=copy)),
        curves=more(spec.curves),
        utilities=more(spec.utilities),
        costs=more(spec.costs),
        adverse_events=more(spec.adverse_events),
        km={
            **spec.km,
            **{(copy, *key[1:]): km for key, km in spec.km.items() if key[0] == last},
        },
    )
