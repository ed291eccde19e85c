"""``CEAC & CEAF`` and ``EVPI``: formulas over the stored draws at a modest grid of thresholds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from heor.analyses.psa_results import Acceptability
from heor.report.charts import (
    REFERENCE_COLOUR,
    Axis,
    Cells,
    Series,
    dash_of,
    money_scale,
    nice_limits,
    xy_chart,
)
from heor.report.fast_xlsx import in_row
from heor.report.live import HERE, Column, Grid, Term, largest, literal
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.draw_terms import (
    best_share,
    by_row,
    net_benefit,
    share_of_draws,
    weighted,
)
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading
from heor.report.sheets.psa import summary
from heor.report.xlsx import NOTE, Sheet, Style, column_letter, quote_title
from heor.spec.parameters import FloatArray

#: Sheet of the curves.
CURVES_TITLE = "CEAC & CEAF"

#: Even steps of the live thresholds by number of strategies: a spreadsheet takes as many times
#: longer as there are draws, thresholds and strategies squared.
STEPS = ((2, 40), (4, 20))
FEWEST_STEPS = 10

#: Columns of the sheet that the chart covers at least.
CHART_COLUMNS = 8

#: Distance from their last values within which acceptability curves count as settled.
SETTLED = 0.1

#: Largest loss that the chart shows, in peaks of the EVPI.
LOSSES_SHOWN = 4.0

_SHARE, _MONEY = Style("formula", unit="proportion"), Style("formula", unit="money")
#: Row of the chart, and of the first threshold below it.
_CHART, _FIRST = 8, 34


def steps_of(strategies: int) -> int:
    """Steps of the live grid of thresholds."""
    return next((steps for most, steps in STEPS if strategies <= most), FEWEST_STEPS)


def axis_end(ctx: Context) -> tuple[float, float]:
    """Give where the curves hardly move any more, as a round number, and the axis step.

    It always holds the study's thresholds.
    """
    curve: Acceptability = summary(ctx).curve
    far = np.abs(curve.ceac - curve.ceac[-1]).max(axis=1) > SETTLED
    moving = float(curve.thresholds[far].max(initial=0.0))
    wanted = max(moving, 1.5 * max(summary(ctx).thresholds))
    _, top, step = nice_limits(0.0, min(wanted, float(curve.thresholds[-1])), 8)
    return top, step


def live_thresholds(ctx: Context) -> FloatArray:
    """Thresholds of the live grid: even steps from 0, and those of the study."""
    top, _ = axis_end(ctx)
    even = np.linspace(0.0, top, steps_of(len(ctx.strategies)) + 1).round(9)
    return np.unique([*even.tolist(), *summary(ctx).thresholds])


def write_ceac(ctx: Context, sheet: Sheet) -> None:
    """Fill ``CEAC & CEAF``."""
    row = head(ctx, sheet, "Cost-effectiveness acceptability", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    thresholds = live_thresholds(ctx)
    fine = len(summary(ctx).curve.thresholds)
    heading(
        sheet,
        row,
        "Probability of the highest net benefit of all strategies, ties shared equally",
        "CEAF: the probability of the strategy with the highest mean net benefit (methods 7.4).",
    )
    words = (
        f"Formulas over all stored draws at {len(thresholds)} thresholds, which may be changed "
        f"here as long as they rise; results.json has the curves at {fine} thresholds."
    )
    sheet.text(row + 2, 0, words, NOTE)
    money = ctx.currency
    sheet.text(_FIRST - 1, 0, f"Threshold, {money} per QALY", Style("header"))
    sheet.block(_FIRST, 0, thresholds.reshape(-1, 1), [Style("input", unit="money")])
    grid = Grid(sheet, len(thresholds), _FIRST, 1)
    threshold = Column(sheet, 0, _FIRST, thresholds)
    worth = grid.add("worth", "Threshold × severity weight", weighted(ctx, threshold.here), _MONEY)
    at = _each(worth)
    for strategy in ctx.strategies:
        label = f"Probability best: {ctx.label(strategy)}"
        term = by_row(partial(_probability, ctx, strategy, at), range(len(thresholds)))
        grid.add(f"share {strategy}", label, term, _SHARE)
    for strategy in ctx.strategies:
        cost, qaly = (ctx.live[f"mean {name} {strategy}"] for name in ("cost", "qaly"))
        label = f"Mean NMB, {money}: {ctx.label(strategy)}"
        grid.add(f"benefit {strategy}", label, worth.here * qaly - cost, _MONEY)
    _write_frontier(ctx, sheet, grid)
    for key in ("worth", *(f"share {s}" for s in ctx.strategies)):
        ctx.columns[f"ceac {key}"] = grid[key]
    ctx.columns["ceac threshold"] = threshold
    sheet.height(_FIRST - 1, 72)
    _place_ceac(ctx, sheet, grid, len(thresholds))
    sheet.widths((18, 14, *([16] * (2 * len(ctx.strategies) + 1)), 24))
    sheet.freeze(4, 1)
    last = _FIRST + len(thresholds) - 1
    sheet.print_setup(area=(0, 0, last, max(grid.place, CHART_COLUMNS)), pages=1)


def _probability(ctx: Context, strategy: str, at: Callable[[int], Term], row: int) -> Term:
    return share_of_draws(ctx, best_share(ctx, strategy, at(row)))


def _won(ctx: Context, strategy: str, at: Callable[[int], Term], row: int) -> Term:
    best = best_share(ctx, strategy, at(row))
    return share_of_draws(ctx, best * net_benefit(ctx, strategy, at(row)))


def _each(column: Column) -> Callable[[int], Term]:
    """Give the cell of a column in the formula's own row, with the value of one row."""
    return lambda row: Term(column.here.text, float(column.values[row]))


def _across(grid: Grid, keys: list[str]) -> Term:
    """Cells side by side in the formula's own row; values ``(row, column)``."""
    first, last = grid[keys[0]], grid[keys[-1]]
    title = quote_title(grid.sheet.title)
    text = f"{title}!${column_letter(first.place)}{HERE}:${column_letter(last.place)}{HERE}"
    return Term(text, np.column_stack([grid[key].values for key in keys]))


def _write_frontier(ctx: Context, sheet: Sheet, grid: Grid) -> None:
    """Write the strategy with the highest mean net benefit, and its probability."""
    benefits = _across(grid, [f"benefit {s}" for s in ctx.strategies])
    shares = _across(grid, [f"share {s}" for s in ctx.strategies])
    best = np.argmax(benefits.value, axis=1)
    place = f"MATCH(MAX({benefits.text}),{benefits.text},0)"
    chosen = shares.value[np.arange(len(best)), best]
    grid.add("ceaf", "CEAF", Term(f"INDEX({shares.text},{place})", chosen), _SHARE)
    labels = [ctx.label(s) for s in ctx.strategies]
    column = grid.place
    sheet.text(_FIRST - 1, column, "Highest mean NMB", Style("header", indent=1))
    names = ctx.live["strategy labels"].text
    for offset, index in enumerate(best.tolist()):
        text = in_row(f"=INDEX({names},{place})", _FIRST + offset + 1)
        text = text.replace(quote_title(sheet.title) + "!", "")
        sheet.formula(_FIRST + offset, column, text, labels[index], Style("formula", indent=1))
    grid.place += 1


def _threshold_axis(ctx: Context) -> Axis:
    top, step = axis_end(ctx)
    form, words = money_scale(top, ctx.currency)
    return Axis(
        title=f"Willingness to pay, {words} per QALY",
        low=0,
        high=top,
        step=step,
        number_format=form,
    )


def _place_ceac(ctx: Context, sheet: Sheet, grid: Grid, count: int) -> None:
    last = _FIRST + count - 1
    x = Cells(sheet, 0, _FIRST, last)
    series = [
        Series(
            name=ctx.label(strategy),
            x=x,
            y=Cells(sheet, grid[f"share {strategy}"].place, _FIRST, last),
            colour=ctx.colour(strategy),
            dash=dash_of(index),
            width=2.25,
        )
        for index, strategy in enumerate(ctx.strategies)
    ]
    frontier = Series(
        name="CEAF",
        x=x,
        y=Cells(sheet, grid["ceaf"].place, _FIRST, last),
        colour="#000000",
        line=False,
        marker="circle",
        marker_size=4,
        hollow=True,
    )
    chart = xy_chart(
        ctx.book,
        "Cost-effectiveness acceptability curves and frontier",
        series,
        _threshold_axis(ctx),
        Axis(
            title="Probability of being cost-effective", low=0, high=1, step=0.2, number_format="0%"
        ),
        on_top=[frontier],
    )
    alt = "Probability that each strategy has the highest net benefit, by threshold, with the CEAF."
    sheet.place(_CHART, 0, chart, width=900, height=460, alt=alt)


# --- value of information ------------------------------------------------------------------------


def write_evpi(ctx: Context, sheet: Sheet) -> None:
    """Fill ``EVPI``: per patient, with the expected loss of each strategy."""
    row = head(ctx, sheet, "Expected value of perfect information", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    money = ctx.currency
    heading(
        sheet,
        row,
        f"Per patient, {money}",
        "Expected loss: net benefit lost on average by always choosing the strategy; the smallest "
        f"is the EVPI (methods 7.4). Thresholds are those of {CURVES_TITLE}.",
    )
    threshold, worth = ctx.columns["ceac threshold"], ctx.columns["ceac worth"]
    count = len(threshold.values)
    grid = Grid(sheet, count, _FIRST)
    shown = grid.add(
        "threshold",
        f"Threshold, {money} per QALY",
        threshold.here,
        Style("link", unit="money"),
    )
    evpi = add_evpi(ctx, grid, worth)
    sheet.height(_FIRST - 1, 72)
    _place_evpi(ctx, sheet, grid, shown, evpi)
    sheet.widths((18, *([18] * grid.place)))
    sheet.freeze(4, 1)
    last = _FIRST + count - 1
    sheet.print_setup(area=(0, 0, last, max(grid.place, CHART_COLUMNS)), pages=1)


def add_evpi(ctx: Context, grid: Grid, worth: Column) -> Column:
    """Add columns that lead to the EVPI at each value of a QALY (methods 7.4); give the last."""
    reference = ctx.label(ctx.reference)
    at, count = _each(worth), len(worth.values)
    for strategy in ctx.others:
        term = by_row(partial(_won, ctx, strategy, at), range(count))
        label = f"INMB over {reference} from draws in which it is best: {ctx.label(strategy)}"
        grid.add(f"won {strategy}", label, term, _MONEY)
    perfect = literal(0)
    if ctx.others:
        gains = _across(grid, [f"won {s}" for s in ctx.others])
        perfect = Term(f"SUM({gains.text})", gains.value.sum(axis=1))
    for strategy in ctx.strategies:
        loss = perfect
        if strategy != ctx.reference:
            cost, qaly = (ctx.live[f"mean delta {name} {strategy}"] for name in ("cost", "qaly"))
            loss = perfect - (worth.here * qaly - cost)
        grid.add(f"loss {strategy}", f"Expected loss: {ctx.label(strategy)}", loss, _MONEY)
    losses = _across(grid, [f"loss {s}" for s in ctx.strategies])
    smallest = Term(f"MIN({losses.text})", losses.value.min(axis=1))
    return grid.add("evpi", "EVPI", largest(0, smallest), Style("formula", "money", True))


def _place_evpi(ctx: Context, sheet: Sheet, grid: Grid, shown: Column, evpi: Column) -> None:
    last = _FIRST + len(shown.values) - 1
    x = Cells(sheet, shown.place, _FIRST, last)
    # losses far above the EVPI would flatten it: the axis shows up to a few times its peak
    peak = float(evpi.values.max())
    losses = max(float(grid[f"loss {s}"].values.max()) for s in ctx.strategies)
    low, high, step = nice_limits(0.0, min(losses, LOSSES_SHOWN * peak) if peak > 0 else losses)
    form, words = money_scale(high, ctx.currency)
    series = [
        Series(
            name=f"Expected loss: {ctx.label(strategy)}",
            x=x,
            y=Cells(sheet, grid[f"loss {strategy}"].place, _FIRST, last),
            colour=ctx.colour(strategy),
            dash=dash_of(index),
            width=1.75,
        )
        for index, strategy in enumerate(ctx.strategies)
    ]
    best = Series(
        name="EVPI",
        x=x,
        y=Cells(sheet, evpi.place, _FIRST, last),
        colour=REFERENCE_COLOUR,
        line=False,
        marker="circle",
        marker_size=4,
        hollow=True,
    )
    chart = xy_chart(
        ctx.book,
        "Expected value of perfect information and expected losses, per patient",
        series,
        _threshold_axis(ctx),
        Axis(title=f"Per patient, {words}", low=low, high=high, step=step, number_format=form),
        on_top=[best],
    )
    alt = "EVPI per patient and the expected loss of each strategy, by threshold."
    sheet.place(_CHART, 0, chart, width=900, height=460, alt=alt)
