"""``Calc Time``: cycle boundaries, discount factors and the weights of person-time (methods 3).

Every vector is live to cycle length, horizon, discounting and cycle correction. Boundaries beyond
the horizon in use stand there for longer ones and weigh 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from heor.engine.timeline import Timeline
from heor.report.live import (
    GRID_HEADING,
    GRID_ROW,
    Column,
    Grid,
    Term,
    choose,
    largest,
    put,
    smallest,
    where,
    whole,
)
from heor.report.sheets.layout import Context
from heor.report.xlsx import BOLD, NOTE, TITLE, Sheet, Style
from heor.spec.records import Spec
from heor.spec.settings import parse_setting

TITLE_TIME = "Calc Time"

#: Settings on which the number of cycles depends.
_LENGTHS = ("cycle_length", "horizon")

#: Row above the first line between the notes and the grid, and the column of its value.
_HEAD, HEAD_VALUE = 3, 4

_YEARS = Style("formula", unit="number")
_FACTOR = Style("formula", unit="number")
_COUNT = Style("formula", unit="integer")


def rows_needed(spec: Spec) -> int:
    """Give the boundaries that every grid of the workbook has: those of the longest horizon.

    The base case and every scenario fit into them.
    """
    settings = [spec.settings]
    for scenario in spec.scenarios:
        lengths: dict[str, Any] = {
            change.target: parse_setting(change.target, change.value)
            for change in scenario.changes
            if change.target in _LENGTHS
        }
        if lengths:
            settings.append(replace(spec.settings, **lengths))
    return 1 + max(Timeline(s).cycles for s in settings)


def new_grid(ctx: Context, sheet: Sheet, title: str, notes: tuple[str, ...]) -> Grid:
    """Write a sheet's title and what it does; give its grid of cycle boundaries."""
    sheet.text(0, 0, title, TITLE)
    sheet.height(0, 22)
    for row, note in enumerate(notes, start=1):
        sheet.text(row, 0, note, NOTE)
    sheet.height(GRID_HEADING - 1, 66)
    sheet.height(GRID_HEADING, 56)
    return Grid(sheet, rows_needed(ctx.results.spec))


def boundaries(grid: Grid) -> Column:
    """Add the numbers of the boundaries, from 0."""
    heading = grid.sheet.ref(GRID_HEADING, grid.place)
    number = Term(f"ROW()-ROW({heading})-1", np.arange(grid.rows, dtype=float))
    return grid.add("k", "Boundary", number, _COUNT, note="k, start of cycle k")


def write_time(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet and make its columns known."""
    live = ctx.live
    notes = (
        "Cycle boundaries, discount factors and weights of person-time, for the settings in use "
        "(methods 3). Sums over time elsewhere are SUMPRODUCTs of these columns.",
        "Boundaries after the horizon stand there for longer horizons and weigh 0.",
    )
    grid = new_grid(ctx, sheet, "Time, discounting and person-time", notes)
    k = boundaries(grid)
    cycle = live["cycle"]
    _write_cycles(ctx, sheet)
    time = grid.add("t", "Time, years", k.here * cycle, _YEARS, note="t = k × cycle length")
    inside = grid.add(
        "inside",
        "Inside the horizon",
        where(k.here < live["cycles"], 1, 0),
        _COUNT,
        note="1 while the cycle starts before the horizon",
    )
    half = cycle / ctx.constants.term(2, "Two")
    middle = grid.add(
        "middle", "Middle, years", time.here + half, _YEARS, note="Middle of the cycle"
    )
    near = ctx.constants.term(1e-9, "Years by which a moment may miss a whole year")
    moment = grid.add(
        "moment",
        "Discounted from, years",
        choose(
            live["discounting"],
            [("mid_cycle", middle.here), ("annual", whole(time.here + near))],
            time.here,
        ),
        _YEARS,
        note="methods 3.2; with “continuous” the boundary itself",
    )
    for kind in ("costs", "outcomes"):
        _discounting(ctx, grid, kind, inside, moment)
    for kind in ("costs", "outcomes", "plain"):
        _person_time(ctx, grid, kind, inside)
    for kind in ("costs", "outcomes", "plain"):
        left, right = grid[f"left {kind}"], grid[f"right {kind}"]
        _add(
            ctx,
            grid,
            f"weight {kind}",
            f"Weight of occupancy, {_words(kind)}, years",
            left.here + where(k.here.equals(0), 0, right.previous),
            "Left part of the cycle that starts here and right part of the one that ends",
        )
    for key in ("t", "inside", "middle"):
        ctx.columns[key] = grid[key]
    sheet.widths((11, 11, *([12.5] * (grid.place - 2))))
    sheet.freeze(GRID_ROW, 2)
    sheet.print_setup(
        repeat=(GRID_HEADING, GRID_HEADING), area=(0, 0, GRID_ROW + 53, grid.place - 1), pages=1
    )


def _write_cycles(ctx: Context, sheet: Sheet) -> None:
    """Write how many cycles there are, and whether the horizon needs more than there are rows."""
    live = ctx.live
    asked, cycles = live["cycles asked"], live["cycles"]
    lines = (
        ("Cycle length, years", live["cycle"], Style("link", unit="number")),
        ("Cycles of the horizon", asked, Style("link", unit="integer")),
        ("Cycles computed", cycles, Style("link", unit="integer")),
        ("Rows missing (1: yes)", where(asked > cycles, 1, 0), _COUNT),
    )
    for row, (words, term, style) in enumerate(lines, start=_HEAD + 1):
        sheet.text(row, 0, words, BOLD)
        live["rows missing"] = put(sheet, row, HEAD_VALUE, term, style)
    note = "Where rows are missing, change the horizon in the settings and run heor again."
    sheet.text(_HEAD + len(lines), HEAD_VALUE + 1, note, NOTE)


def _words(kind: str) -> str:
    return "undiscounted" if kind == "plain" else kind


def _add(ctx: Context, grid: Grid, key: str, heading: str, term: Term, note: str) -> None:
    ctx.columns[key] = grid.add(key, heading, term, _FACTOR, note=note)


def _discounting(ctx: Context, grid: Grid, kind: str, inside: Column, moment: Column) -> None:
    """Factors at the moment of each cycle, and of the cycle as a whole (methods 3.2)."""
    live = ctx.live
    first, step, later = (live[f"rate {kind} {part}"] for part in ("first", "step", "later"))
    growth = (1 + first) ** smallest(moment.here, step) * (1 + later) ** largest(
        0, moment.here - step
    )
    value = grid.add(
        f"value {kind}",
        f"Value today of one, {kind}",
        1 / growth,
        _FACTOR,
        note="At the moment it is discounted from; the rate may step to another",
    )
    by_rule = live["left share"] * value.here + live["right share"] * value.next
    continuous = live["discounting"].equals("continuous")
    factor = where(inside.here.equals(1), where(continuous, by_rule, value.here), 0)
    _add(
        ctx,
        grid,
        f"factor {kind}",
        f"Discount factor, {kind}",
        factor,
        "v of the cycle as a whole, for events in it",
    )


def _person_time(ctx: Context, grid: Grid, kind: str, inside: Column) -> None:
    """Shares of each cycle's discounted person-time at its start and its end (methods 3.1)."""
    live = ctx.live
    at_start: Term | int = 1
    at_end: Term | int = 1
    if kind != "plain":
        value = grid[f"value {kind}"]
        at_start = value.here
        continuous = live["discounting"].equals("continuous")
        at_end = where(continuous, value.next, value.here)
    for side, factor, place in (("left", at_start, "start"), ("right", at_end, "end")):
        time = live["cycle"] * live[f"{side} share"]
        if isinstance(factor, Term):
            time = time * factor
        _add(
            ctx,
            grid,
            f"{side} {kind}",
            f"Person-time at cycle {place}, {_words(kind)}, years",
            where(inside.here.equals(1), time, 0),
            f"Multiplies occupancy at the cycle's {place}",
        )
