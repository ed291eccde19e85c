"""``Calc Trace <strategy>``: curves and occupancy at every cycle boundary of the base case.

Group curves are values of the engine; the curves of an endpoint are their weighted sum and the
states are differences of neighbouring endpoints (methods 1.1, 1.2), both as formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from heor.engine.trace import StrategyTrace
from heor.report.charts import Axis, Cells, Series, area_chart
from heor.report.sheets.layout import Context, head
from heor.report.xlsx import BOLD, HEADER, NOTE, Sheet, Style, cell_name, column_letter
from heor.spec.parameters import FloatArray

#: Rows of the head that hold cycle length and group weights, and the row of the column headings.
LENGTH_ROW, WEIGHT_ROW, HEADING_ROW = 5, 6, 7
FIRST_ROW = HEADING_ROW + 1

#: The alive share below which the charts stop, and the grain of their time axis in years.
SHOWN_ALIVE, SHOWN_GRAIN = 0.02, 5.0

_CURVE = Style("value", unit="share")
_LIVE = Style("formula", unit="share")


def label_every(length: float, until: float) -> tuple[int, int]:
    """Cycles between labels of a chart's time axis, and the whole years they stand for.

    Examples
    --------
    >>> label_every(1 / 52, 10), label_every(1 / 12, 40)
    ((52, 1), (60, 5))
    """
    years = 1 if until <= 12 else round(SHOWN_GRAIN)
    return max(1, round(years / length)), years


@dataclass(frozen=True, slots=True)
class TraceColumns:
    """Which column holds what; ``groups`` are keyed by (endpoint, group)."""

    groups: dict[tuple[str, str], int]
    endpoints: dict[str, int]
    states: dict[str, int]
    rows: int

    @property
    def years(self) -> int:
        """Column of the labels of the chart's time axis, after a gap."""
        return max(self.states.values()) + 2

    @property
    def last_row(self) -> int:
        """Row of the last boundary."""
        return FIRST_ROW + self.rows - 1


def trace_columns(trace: StrategyTrace) -> TraceColumns:
    """Lay out a strategy's sheet: cycle, time, group curves, endpoints, states."""
    column = 2
    groups = {}
    for endpoint in trace.endpoints:
        for key in (k for k in trace.group_curves if k[0] == endpoint):
            groups[key] = column
            column += 1
    endpoints = {name: column + i for i, name in enumerate(trace.endpoints)}
    column += len(endpoints)
    states = {name: column + i for i, name in enumerate(trace.occupancy)}
    return TraceColumns(groups, endpoints, states, len(trace.time))


def shown_until(ctx: Context) -> float:
    """Give the time to which charts run: nobody much is alive after it, in any strategy (years)."""
    last = 0.0
    for trace in ctx.traces.values():
        alive = np.flatnonzero(trace.endpoints["os"][0] > SHOWN_ALIVE)
        last = max(last, float(trace.time[alive[-1]]) if len(alive) else 0.0)
    horizon = float(next(iter(ctx.traces.values())).time[-1])
    grain = SHOWN_GRAIN if horizon > SHOWN_GRAIN else 1.0
    return min(max(grain, float(np.ceil(last / grain) * grain)), horizon)


def write_trace(ctx: Context, sheet: Sheet, strategy: str) -> None:
    """Fill the calculation sheet of a strategy."""
    trace, columns = ctx.traces[strategy], trace_columns(ctx.traces[strategy])
    head(ctx, sheet, f"Trace: {ctx.label(strategy)}, base case", live=True)
    sheet.text(LENGTH_ROW, 0, "Cycle, years", BOLD)
    length = float(trace.time[1] - trace.time[0])
    sheet.number(LENGTH_ROW, 1, length, Style("value"))
    sheet.text(WEIGHT_ROW, 0, "Group weights", BOLD)
    sheet.text(HEADING_ROW, 0, "Cycle", HEADER)
    sheet.row(HEADING_ROW, 1, ("Time, years",), Style("header", align="right"))
    _write_curves(sheet, trace, columns, length)
    _write_endpoints(sheet, trace, columns)
    _write_states(ctx, sheet, trace, columns)
    _write_years(sheet, columns, length, shown_until(ctx))
    sheet.height(HEADING_ROW, 42)
    last = max(columns.states.values())
    sheet.widths((13, 9, *([12.5] * (last - 1))))
    sheet.freeze(FIRST_ROW, 2)
    sheet.print_setup(
        repeat=(HEADING_ROW, HEADING_ROW),
        area=(0, 0, min(columns.last_row, FIRST_ROW + 52), last),
        pages=1,
    )


def _write_curves(sheet: Sheet, trace: StrategyTrace, columns: TraceColumns, length: float) -> None:
    cycles = np.arange(columns.rows, dtype=float)
    sheet.block(FIRST_ROW, 0, cycles[:, None], [Style("value", unit="integer")])
    cell = cell_name(LENGTH_ROW, 1, absolute=True)
    formulas = (f"=A{FIRST_ROW + 1 + k}*{cell}" for k in range(columns.rows))
    sheet.formula_column(FIRST_ROW, 1, formulas, cycles * length, Style("formula", unit="year"))
    for (endpoint, group), column in columns.groups.items():
        sheet.text(HEADING_ROW, column, f"{endpoint}: {group}", Style("header", align="right"))
        sheet.number(WEIGHT_ROW, column, trace.weights[group][0], Style("value", unit="share"))
    if columns.groups:
        curves = np.column_stack([trace.group_curves[key][0] for key in columns.groups])
        sheet.block(FIRST_ROW, 2, curves, [_CURVE] * curves.shape[1])


def _write_endpoints(sheet: Sheet, trace: StrategyTrace, columns: TraceColumns) -> None:
    """Write the weighted sums; values where a cap after mixing makes the curve something else."""
    for endpoint, column in columns.endpoints.items():
        sheet.text(HEADING_ROW, column, endpoint, Style("header", align="right"))
        curve = trace.endpoints[endpoint][0]
        keys = [key for key in columns.groups if key[0] == endpoint]
        if not keys or not np.allclose(_mixed(trace, keys), curve, rtol=0, atol=1e-13):
            sheet.text(WEIGHT_ROW, column, "after the cap", NOTE)
            sheet.block(FIRST_ROW, column, curve[:, None], [_CURVE])
            continue
        first, last = (
            column_letter(columns.groups[keys[0]]),
            column_letter(columns.groups[keys[-1]]),
        )
        weights = f"${first}${WEIGHT_ROW + 1}:${last}${WEIGHT_ROW + 1}"
        formulas = (
            f"=SUMPRODUCT({weights},{first}{row}:{last}{row})"
            for row in range(FIRST_ROW + 1, columns.last_row + 2)
        )
        sheet.formula_column(FIRST_ROW, column, formulas, curve, _LIVE)


def _mixed(trace: StrategyTrace, keys: list[tuple[str, str]]) -> FloatArray:
    total = np.zeros(len(trace.time))
    for key in keys:
        total += trace.weights[key[1]][0] * trace.group_curves[key][0]
    return total


def _write_states(ctx: Context, sheet: Sheet, trace: StrategyTrace, columns: TraceColumns) -> None:
    spec = ctx.results.spec
    inner: str | None = None
    rows = range(FIRST_ROW + 1, columns.last_row + 2)
    for state in spec.living_states:
        column = columns.states[state.id]
        outer = columns.endpoints.get(state.endpoint)
        occupancy = trace.occupancy[state.id][0]
        sheet.text(HEADING_ROW, column, state.label, Style("header", align="right"))
        if outer is None:
            sheet.text(WEIGHT_ROW, column, "no such curve", NOTE)
            sheet.block(FIRST_ROW, column, occupancy[:, None], [_CURVE])
            continue
        letter = column_letter(outer)
        minus = "" if inner is None else "-" + inner
        formulas = (f"={letter}{row}{minus}{row if minus else ''}" for row in rows)
        sheet.formula_column(FIRST_ROW, column, formulas, occupancy, _LIVE)
        inner = letter
    dead = spec.dead_state
    column = columns.states[dead.id]
    sheet.text(HEADING_ROW, column, dead.label, Style("header", align="right"))
    formulas = (f"=1-{inner}{row}" for row in rows)
    sheet.formula_column(FIRST_ROW, column, formulas, trace.occupancy[dead.id][0], _LIVE)


def _write_years(sheet: Sheet, columns: TraceColumns, length: float, until: float) -> None:
    """Write the labels of the chart's time axis: whole years as text, and nothing between them."""
    sheet.text(HEADING_ROW, columns.years, "Chart: years", Style("header", align="right"))
    every, years = label_every(length, until)
    for label, cycle in enumerate(range(0, columns.rows, every)):
        style = Style("value", align="right")
        sheet.text(FIRST_ROW + cycle, columns.years, str(label * years), style)


def state_chart(ctx: Context, strategy: str) -> tuple[Any, str]:
    """Stacked areas of the states over time, and the words that describe them."""
    trace, columns = ctx.traces[strategy], trace_columns(ctx.traces[strategy])
    sheet = ctx.book.sheets[ctx.cells[f"trace {strategy}"]]
    until = shown_until(ctx)
    length = float(trace.time[1])
    every, _ = label_every(length, until)
    last = min(columns.last_row, FIRST_ROW + round(until / length))
    time = Cells(sheet, columns.years, FIRST_ROW, last)
    series = [
        Series(
            name=ctx.state_label(state),
            x=time,
            y=Cells(sheet, place, FIRST_ROW, last),
            colour=ctx.state_colour(state),
        )
        for state, place in columns.states.items()
    ]
    title = f"Where people are over time: {ctx.label(strategy)}"
    chart = area_chart(
        ctx.book,
        title,
        series,
        Axis(title="Years since start", grid=False),
        Axis(title="Share of people", low=0, high=1, step=0.2, number_format="0%"),
        every,
    )
    return chart, f"{title}. Stacked shares of people in each state over {until:g} years."
