"""``Calc Windows`` and ``Calc Schedules``: when cost items are charged (methods 3.1 and 5)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from heor.engine.timeline import Timeline
from heor.report.live import (
    GRID_HEADING,
    Column,
    Grid,
    Term,
    largest,
    put,
    smallest,
    where,
    whole,
)
from heor.report.lookup import sum_of, window_share
from heor.report.sheets.calc_quality import PRINTED_ROWS, SLACK, finish_grid, notes, time_grid
from heor.report.sheets.cost_rows import CostRow, cost_rows
from heor.report.sheets.layout import Context, head
from heor.report.xlsx import BOLD, HEADING, Sheet, Style
from heor.spec.records import UNITS_PER_YEAR, Cost, Spec
from heor.spec.settings import parse_setting

WINDOWS, SCHEDULES = "Calc Windows", "Calc Schedules"

_SHARE, _YEAR = Style("formula", unit="share"), Style("formula", unit="year")
_WHOLE = Style("formula", unit="integer")
_WINDOW_NOTES = (
    "An item charged for time counts the share of each cycle that lies in its window "
    "[from, until); amount and window stand in the table costs.",
)
_SCHEDULE_NOTES = (
    "A scheduled item is charged at from, from + every, … before until and the horizon; people "
    "then in the state are interpolated between the boundaries of the cycle; the discount factor",
    "is that of the moment, without half-cycle correction (methods 5). A moment beyond the last "
    "one counts 0.",
)


def used_items(spec: Spec, trigger: str) -> list[tuple[int, Cost]]:
    """Cost items of a trigger that some strategy pays, with their place in the table."""
    paid = {id(cost) for strategy in spec.strategy_ids() for cost in spec.costs_of(strategy)}
    return [(i, c) for i, c in enumerate(spec.costs) if c.trigger == trigger and id(c) in paid]


def longest_horizon(spec: Spec) -> float:
    """Longest horizon of the base case and all scenarios, in whole cycles (years)."""
    longest = Timeline(spec.settings).horizon
    for scenario in spec.scenarios:
        changes = {
            change.target: parse_setting(change.target, change.value)
            for change in scenario.changes
            if change.target in ("horizon", "cycle_length")
        }
        longest = max(longest, Timeline(replace(spec.settings, **changes)).horizon)
    return longest


def write_windows(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Calc Windows`` and register ``window <item>``."""
    row = head(ctx, sheet, "Windows of costs per unit of time", live=True)
    notes(sheet, row, _WINDOW_NOTES)
    grid = time_grid(ctx, sheet)
    for i, cost in used_items(ctx.results.spec, "in_state"):
        window = ctx.live[f"costs {i} from"], ctx.live[f"costs {i} until"]
        share = window_share(ctx.columns["t"], ctx.live["cycle"], window)
        key = f"window {i}"
        heading = cost.label or cost.id
        ctx.columns[key] = grid.add(key, heading, share, _SHARE, note="share of the cycle")
    finish_grid(sheet, grid, 17)


def write_schedules(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Calc Schedules``; register the columns of each item and a check of its rows.

    ``schedule factor <item>``, ``schedule counts <item>``; ``schedule <strategy> <item> <bucket>``
    is the occupancy; the live cell ``schedule rows missing`` counts items whose moments need more
    rows than there are.
    """
    row = head(ctx, sheet, "Scheduled costs: moments and people", live=True)
    notes(sheet, row, _SCHEDULE_NOTES)
    rows = [r for r in cost_rows(ctx) if r.trigger == "schedule"]
    short = []
    place = 0
    longest = longest_horizon(ctx.results.spec)
    for i, cost in used_items(ctx.results.spec, "schedule"):
        assert cost.every is not None
        count = max(1, math.ceil(longest * UNITS_PER_YEAR[cost.time_unit] / cost.every))
        grid = Grid(sheet, count, place=place)
        sheet.text(grid.first - 4, place, cost.label or cost.id, HEADING)
        short.append(_write_item(ctx, grid, i, (r for r in rows if r.item == i)))
        place = grid.place + 1
    sheet.text(row + 3, 0, "Items that need more rows than stand here (must be 0)", BOLD)
    missing = sum_of(short)
    assert missing is not None
    ctx.live["schedule rows missing"] = put(sheet, row + 3, 5, missing, _WHOLE)
    sheet.widths([12.0] * place)
    sheet.height(GRID_HEADING, 42)
    sheet.freeze(GRID_HEADING + 1)
    sheet.print_setup(
        repeat=(GRID_HEADING, GRID_HEADING),
        area=(0, 0, GRID_HEADING + PRINTED_ROWS, place - 2),
        pages=1,
    )


def _write_item(ctx: Context, grid: Grid, i: int, rows: Iterable[CostRow]) -> Term:
    """Write the block of one item; give 1 where its moments need more rows."""
    start, until, step = (ctx.live[f"costs {i} {c}"] for c in ("from", "until", "every"))
    cycle, cycles = ctx.live["cycle"], ctx.live["cycles"]
    slack = ctx.constants.term(SLACK, "slack of comparisons with whole numbers of cycles or steps")
    end = smallest(until, cycles * cycle)
    top = grid.sheet.ref(grid.first, grid.place)
    number = grid.add(
        f"number {i}", "Number", Term(f"ROW()-ROW({top})", np.arange(float(grid.rows)), 1), _WHOLE
    )
    moment = grid.add(f"moment {i}", "Moment, years", start + step * number.here, _YEAR)
    counts = grid.add(
        f"counts {i}",
        "Counts: 1, else 0",
        where(number.here < (end - start) / step - slack, 1, 0),
        _WHOLE,
    )
    before = smallest(whole(moment.here / cycle + slack), cycles - 1)
    at = grid.add(f"cycle {i}", "In cycle", before, _WHOLE)
    share = largest(moment.here / cycle - at.here, 0)
    # past the horizon nothing counts, and the share would grow without bound
    into = grid.add(f"share {i}", "Share of the cycle past", smallest(share, 1), _SHARE)
    factor = grid.add(
        f"factor {i}", "Discount factor", counts.here * _factor(ctx, moment, slack), _SHARE
    )
    ctx.columns[f"schedule factor {i}"] = factor
    ctx.columns[f"schedule counts {i}"] = counts
    for row in rows:
        assert row.occupancy is not None
        if row.occupancy.empty:
            continue
        low, high = row.occupancy.starts_of(at.here + 1), row.occupancy.ends_of(at.here + 1)
        key = f"schedule {row.strategy} {i} {row.bucket}"
        heading = f"{ctx.label(row.strategy)}: {ctx.state_label(row.bucket)}"
        ctx.columns[key] = grid.add(
            key,
            heading,
            low + into.here * (high - low),
            _SHARE,
            note="people",
        )
    last = moment.at(grid.rows - 1)
    return where(last + step < end - slack * step, 1, 0)


def _factor(ctx: Context, moment: Column, slack: Term) -> Term:
    """Discount factor at a moment; under ``annual`` that of the year it lies in (methods 3.2)."""
    first, step, later = (ctx.live[f"rate costs {c}"] for c in ("first", "step", "later"))
    time = where(ctx.live["discounting"].equals("annual"), whole(moment.here + slack), moment.here)
    early = smallest(time, step)
    return 1 / ((1 + first) ** early * (1 + later) ** largest(0, time - step))
