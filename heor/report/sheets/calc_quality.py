"""``Calc Quality``: the utility of every state in every cycle (methods 4)."""

from __future__ import annotations

import numpy as np

from heor.report.live import (
    Column,
    Grid,
    Term,
    absolute,
    cells,
    literal,
    put,
    smallest,
    sum_of_products,
    total,
    where,
)
from heor.report.lookup import sum_of, window_share
from heor.report.sheets.layout import Context, head
from heor.report.xlsx import BOLD, NOTE, Sheet, Style
from heor.spec.records import ALL

#: Slack when a time is compared with a whole number of cycles or of steps (methods 3).
SLACK = 1e-9

_GAP_ROW = 8
_COUNT = Style("formula", unit="integer")
_SHARE, _UTILITY = Style("formula", unit="share"), Style("formula", unit="number")
#: Rows of a grid that are printed: as many as a page holds.
PRINTED_ROWS = 53

_NOTES = (
    "Each row of the table utilities applies in its window; a strategy's own rows come before "
    "those for all (methods 4).",
    "Used are: value, times the population norm of the age over that at the start (when utilities "
    "are adjusted for age), at most the norm (when capped); then the sum over the rows by share.",
)


def time_grid(ctx: Context, sheet: Sheet) -> Grid:
    """Start a grid over the cycles of the study, with the time of each as its first column."""
    time = ctx.columns["t"]
    grid = Grid(sheet, len(time.values))
    grid.add("t", "Start of cycle, years", time.here, Style("link", unit="year"))
    return grid


def finish_grid(sheet: Sheet, grid: Grid, width: float = 13) -> None:
    """Set widths, panes and print of a sheet with one grid."""
    sheet.widths([width] * grid.place)
    sheet.height(grid.first - 2, 30)
    sheet.height(grid.first - 1, 56)
    sheet.freeze(grid.first, 1)
    last = grid.first + min(grid.rows, PRINTED_ROWS) - 1
    sheet.print_setup(
        repeat=(grid.first - 1, grid.first - 1), area=(0, 0, last, grid.place - 1), pages=1
    )


def notes(sheet: Sheet, row: int, texts: tuple[str, ...]) -> None:
    """Write lines of explanation under each other."""
    for offset, text in enumerate(texts):
        sheet.text(row + offset, 0, text, NOTE)


def write_quality(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; register ``utility <strategy> <state>`` and the check ``utility gaps``."""
    row = head(ctx, sheet, "Utility of every state, cycle by cycle", live=True)
    notes(sheet, row, _NOTES)
    grid = time_grid(ctx, sheet)
    spec = ctx.results.spec
    living = [state.id for state in spec.living_states]
    used = [i for i, u in enumerate(spec.utilities) if u.state in living]
    values = {i: _used(ctx, grid, i) for i in used}
    shares = {i: _share(ctx, grid, i) for i in used}
    first, gaps = grid.place, []
    for strategy in ctx.strategies:
        for state in living:
            rows = [i for i in used if spec.utilities[i].state == state]
            own = [i for i in rows if spec.utilities[i].strategy == strategy]
            parts = [(shares[i], values[i]) for i in own]
            for i in (i for i in rows if spec.utilities[i].strategy == ALL):
                left = _left(ctx, grid, strategy, i, own, shares[i]) if own else shares[i]
                parts.append((left, values[i]))
            terms = [share.here * value.here for share, value in parts]
            gaps.append(_put_gaps(ctx, sheet, grid.place, [share for share, _ in parts]))
            key = f"utility {strategy} {state}"
            heading = f"{ctx.label(strategy)}: {ctx.state_label(state)}"
            # the reader refuses a state without utilities
            term = sum_of(terms) or Term("0", 0.0)
            ctx.columns[key] = grid.add(key, heading, term, _UTILITY, note="utility")
    counts = cells(sheet, _GAP_ROW, first, _GAP_ROW, grid.place - 1, np.array(gaps))
    sheet.text(_GAP_ROW - 1, 0, "Cycles without exactly one utility (must be 0)", BOLD)
    ctx.live["utility gaps"] = put(sheet, _GAP_ROW - 1, 4, total(counts), _COUNT)
    finish_grid(sheet, grid)


def _put_gaps(ctx: Context, sheet: Sheet, column: int, shares: list[Column]) -> float:
    """Count, over its column, the cycles in which a state has no utility or several."""
    slack = ctx.constants.term(SLACK, "slack of comparisons with whole numbers of cycles or steps")
    covered = sum_of([share.starts for share in shares]) or literal(0)
    inside = ctx.columns["inside"].starts
    count = sum_of_products((absolute(1 - covered) > slack) * inside)
    return float(put(sheet, _GAP_ROW, column, count, _COUNT).value)


def _name(ctx: Context, i: int) -> str:
    row = ctx.results.spec.utilities[i]
    who = "all" if row.strategy == ALL else ctx.label(row.strategy)
    return f"Row {i + 1}, {ctx.state_label(row.state)}, {who}"


def _window(ctx: Context, i: int) -> tuple[Term, Term]:
    return ctx.live[f"utilities {i} from"], ctx.live[f"utilities {i} until"]


def _used(ctx: Context, grid: Grid, i: int) -> Column:
    """Write the value of a row after age adjustment and cap."""
    value = ctx.live[f"utilities {i} value"]
    if "norm" in ctx.columns:
        norm = ctx.columns["norm"].here
        adjusted = value * norm / ctx.live["norm start"]
        value = where(ctx.live["age_adjusted_utilities"].equals("yes"), adjusted, value)
        value = where(
            ctx.live["utility_cap"].equals("population_norm"), smallest(value, norm), value
        )
    return grid.add(f"value {i}", _name(ctx, i), value, _UTILITY, note="value as used")


def _share(ctx: Context, grid: Grid, i: int) -> Column:
    term = window_share(ctx.columns["t"], ctx.live["cycle"], _window(ctx, i))
    return grid.add(f"share {i}", _name(ctx, i), term, _SHARE, note="share of the cycle")


def _left(ctx: Context, grid: Grid, strategy: str, i: int, own: list[int], share: Column) -> Column:
    """Write what a strategy's own rows leave of a row for all."""
    time, cycle = ctx.columns["t"], ctx.live["cycle"]
    taken = sum_of([window_share(time, cycle, _window(ctx, i), _window(ctx, o)) for o in own])
    assert taken is not None
    heading = f"{_name(ctx, i)}, left by the rows of {ctx.label(strategy)}"
    return grid.add(
        f"share {i} {strategy}", heading, share.here - taken, _SHARE, note="share of the cycle"
    )
