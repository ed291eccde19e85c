"""``Calc QALYs``: life years, QALYs and equal-value life years cycle by cycle (methods 4)."""

from __future__ import annotations

from heor.report.live import Column, Grid, Term, largest, sum_of_products, where
from heor.report.lookup import sum_of
from heor.report.sheets.calc_quality import finish_grid, notes, time_grid
from heor.report.sheets.layout import Context, head
from heor.report.xlsx import Sheet, Style

_NUMBER = Style("formula", unit="number")
_NOTES = (
    "Valued occupancy is the sum over living states of utility of the cycle × share of people in "
    "the state, at the start and at the end of the cycle.",
    "Person-time weighs start and end by the cycle correction, with discounting in the discounted "
    "columns (methods 3, 4).",
    "Equal-value gain: discount factor × max(0, years − years of the reference) × (utility of an "
    "added year − QALYs per year), undiscounted years and QALYs of the cycle.",
)


def write_qalys(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; register ``qalys``, ``life`` and ``gain`` of each strategy by cycle."""
    row = head(ctx, sheet, "Life years and QALYs, cycle by cycle", live=True)
    notes(sheet, row, _NOTES)
    grid = time_grid(ctx, sheet)
    for strategy in (ctx.reference, *ctx.others):
        _write_strategy(ctx, grid, strategy)
    finish_grid(sheet, grid)


def _write_strategy(ctx: Context, grid: Grid, strategy: str) -> None:
    label, alive = ctx.label(strategy), ctx.columns[f"endpoint {strategy} os"]
    at_start = _add(grid, f"start {strategy}", label, "at start", _valued(ctx, strategy, False))
    at_end = _add(grid, f"end {strategy}", label, "at end", _valued(ctx, strategy, True))

    def time(side: str, start: Term, end: Term) -> Term:
        left, right = ctx.columns[f"left {side}"], ctx.columns[f"right {side}"]
        return left.here * start + right.here * end

    def add(key: str, words: str, term: Term) -> Column:
        column = _add(grid, f"{key} {strategy}", label, words, term)
        ctx.columns[f"{key} {strategy}"] = column
        return column

    years = add("life plain", "years", time("plain", alive.here, alive.next))
    qalys = add("qalys plain", "QALYs", time("plain", at_start.here, at_end.here))
    add("life", "years, discounted", time("outcomes", alive.here, alive.next))
    add("qalys", "QALYs, discounted", time("outcomes", at_start.here, at_end.here))
    if strategy == ctx.reference:
        return
    longer = largest(0, years.here - ctx.columns[f"life plain {ctx.reference}"].here)
    worth = ctx.live["evlyg_utility"] - qalys.here / years.here
    gain = where(years.here > 0, ctx.columns["factor outcomes"].here * longer * worth, 0)
    add("gain", "equal-value gain, discounted", gain)


def _add(grid: Grid, key: str, label: str, words: str, term: Term) -> Column:
    note = "valued occupancy" if words.startswith("at ") else "of the cycle"
    return grid.add(key, f"{label}: {words}", term, _NUMBER, note=note)


def _valued(ctx: Context, strategy: str, end: bool) -> Term:
    """Utility times occupancy, summed over the living states, at one end of the cycle."""
    terms = []
    for state in ctx.results.spec.living_states:
        occupancy = ctx.columns.get(f"state {strategy} {state.id}")
        if occupancy is not None:
            utility = ctx.columns[f"utility {strategy} {state.id}"].here
            terms.append(utility * (occupancy.next if end else occupancy.here))
    found = sum_of(terms)
    assert found is not None
    return found


def life_years(ctx: Context, strategy: str, state: str, *, discounted: bool) -> Term:
    """Years in a state: occupancy times the weights of person-time (methods 3.3)."""
    occupancy = ctx.columns.get(f"state {strategy} {state}")
    if occupancy is None:
        return Term("0", 0.0)
    weight = ctx.columns["weight outcomes" if discounted else "weight plain"]
    return sum_of_products(weight.all, occupancy.all)


def qalys(ctx: Context, strategy: str, state: str, *, discounted: bool) -> Term:
    """QALYs in a state: the utility of each cycle times its person-time."""
    occupancy = ctx.columns.get(f"state {strategy} {state}")
    if occupancy is None:
        return Term("0", 0.0)
    side = "outcomes" if discounted else "plain"
    left, right = ctx.columns[f"left {side}"], ctx.columns[f"right {side}"]
    utility = ctx.columns[f"utility {strategy} {state}"]
    spent = left.starts * occupancy.starts + right.starts * occupancy.ends
    return sum_of_products(utility.starts, spent)
