"""``CE plane``, ``CEAC & CEAF`` and ``EVPI``: how sure the result is, as charts over the draws."""

from __future__ import annotations

import numpy as np

from heor.analyses.psa_results import Acceptability, PsaIncrement
from heor.report.charts import (
    REFERENCE_COLOUR,
    Axis,
    Cells,
    Series,
    lighter,
    money_scale,
    nice_limits,
    xy_chart,
)
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.sheets.psa import RESULTS_ROW, result_columns, sample, stored_draws, summary
from heor.report.xlsx import Sheet, Style, cell_name

#: Draws shown as points; shares count every draw.
POINTS = 2_000

_SHARE, _MONEY = Style("value", unit="proportion"), Style("value", unit="money")
_LIVE_MONEY, _LIVE_QALY = Style("formula", unit="money"), Style("formula", unit="qaly")
_QUADRANTS = (
    ("NE", "North-east: costs more, gains QALYs"),
    ("SE", "South-east: costs less, gains QALYs (dominant)"),
    ("SW", "South-west: costs less, loses QALYs"),
    ("NW", "North-west: costs more, loses QALYs (dominated)"),
    ("on axis", "On an axis"),
)


def write_plane(ctx: Context, sheet: Sheet) -> None:
    """Fill ``CE plane``: quadrant shares and a scatter of the first draws per comparison."""
    row = head(ctx, sheet, "Cost-effectiveness plane", live=True, probabilistic=True)
    for one in summary(ctx).increments:
        row = _write_comparison(ctx, sheet, row, one) + 2
    sheet.widths((46, 16, 16, 16))
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, row, 17), pages=1)


def _write_comparison(ctx: Context, sheet: Sheet, row: int, one: PsaIncrement) -> int:
    title = f"{ctx.label(one.id)} against {ctx.label(one.versus)}"
    top = row = heading(sheet, row, title, f"Shares of all {summary(ctx).n:,} draws.")
    row = table_head(sheet, row, ("Quadrant", "Share of draws"), 18)
    for key, words in _QUADRANTS:
        sheet.text(row, 0, words)
        sheet.number(row, 1, one.quadrants[key], _SHARE)
        row += 1
    row = table_head(sheet, row + 1, ("Point", "QALYs gained", f"Extra cost, {ctx.currency}"), 30)
    base = next(pair for pair in ctx.results.base.pairwise if pair.id == one.id)
    points = (
        ("Mean of the draws", "mean delta", one.delta_qaly.mean, one.delta_cost.mean),
        ("Base case", "delta", base.delta_qaly, base.delta_cost),
    )
    point_row = row
    for words, key, qaly, cost in points:
        sheet.text(row, 0, words)
        source = ctx.cells[f"{key} qaly {one.id}"]
        sheet.formula(row, 1, f"={source}", qaly, Style("link", unit="qaly"))
        source = ctx.cells[f"{key} cost {one.id}"]
        sheet.formula(row, 2, f"={source}", cost, Style("link", unit="money"))
        row += 1
    line_row, limits = _write_lines(ctx, sheet, row + 1, one)
    _place_plane(ctx, sheet, top, point_row, line_row, one, limits)
    return max(line_row + 2 * len(summary(ctx).thresholds), top + 30)


def _shown(ctx: Context, one: PsaIncrement) -> tuple[np.ndarray, np.ndarray]:
    """QALYs gained and extra cost of the draws shown."""
    outcomes, count = sample(ctx).outcomes, min(POINTS, stored_draws(ctx))
    qaly = outcomes.of(one.id, "qaly")[:count] - outcomes.of(one.versus, "qaly")[:count]
    cost = outcomes.of(one.id, "cost")[:count] - outcomes.of(one.versus, "cost")[:count]
    return qaly, cost


def _write_lines(
    ctx: Context, sheet: Sheet, row: int, one: PsaIncrement
) -> tuple[int, tuple[float, ...]]:
    """Two ends of each threshold line, cut where it leaves the chart; give its first row."""
    qaly, cost = _shown(ctx, one)
    x_low, x_high, x_step = nice_limits(float(qaly.min()), float(qaly.max()))
    y_low, y_high, y_step = nice_limits(float(cost.min()), float(cost.max()))
    columns = ("Threshold line, end", "QALYs gained", f"Extra cost, {ctx.currency}", "Threshold")
    row = table_head(sheet, row, columns, 30)
    first = row
    for threshold in summary(ctx).thresholds:
        ends = (x_low, x_high)
        if threshold > 0:
            ends = (max(x_low, y_low / threshold), min(x_high, y_high / threshold))
        for end in ends:
            sheet.text(row, 0, f"{ctx.per_qaly(threshold)}")
            sheet.number(row, 1, end, Style("value", unit="qaly"))
            sheet.number(row, 3, threshold, _MONEY)
            product = f"={cell_name(row, 1)}*{cell_name(row, 3)}"
            sheet.formula(row, 2, product, end * threshold, _LIVE_MONEY)
            row += 1
    return first, (x_low, x_high, x_step, y_low, y_high, y_step)


def _place_plane(
    ctx: Context,
    sheet: Sheet,
    top: int,
    point_row: int,
    line_row: int,
    one: PsaIncrement,
    limits: tuple[float, ...],
) -> None:
    x_low, x_high, x_step, y_low, y_high, y_step = limits
    count = min(POINTS, stored_draws(ctx))
    columns, results = result_columns(ctx), ctx.book.sheets["PSA results"]
    last = RESULTS_ROW + count - 1
    series = [
        Series(
            name=f"Draws (first {count:,})",
            x=Cells(results, columns["delta qaly", one.id], RESULTS_ROW, last),
            y=Cells(results, columns["delta cost", one.id], RESULTS_ROW, last),
            colour=lighter(ctx.colour(one.id)),
            line=False,
            marker="circle",
            marker_size=3,
        )
    ]
    dashes = ("round_dot", "dash", "solid", "long_dash")
    thresholds = summary(ctx).thresholds
    for index, threshold in enumerate(thresholds):
        row = line_row + 2 * index
        series.append(
            Series(
                name=f"{ctx.currency} {threshold:,.0f} per QALY",
                x=Cells(sheet, 1, row, row + 1),
                y=Cells(sheet, 2, row, row + 1),
                colour=REFERENCE_COLOUR,
                width=1.25,
                dash=dashes[index % len(dashes)],
            )
        )
    marks = []
    for offset, (name, marker, hollow) in enumerate(
        (("Mean of the draws", "diamond", False), ("Base case", "x", True))
    ):
        row = point_row + offset
        marks.append(
            Series(
                name=name,
                x=Cells(sheet, 1, row, row),
                y=Cells(sheet, 2, row, row),
                colour="#000000",
                line=False,
                marker=marker,
                marker_size=10,
                hollow=hollow,
            )
        )
    form, words = money_scale(max(abs(y_low), abs(y_high)), ctx.currency)
    digits = "0.00" if x_step < 0.1 else "0.0"
    chart = xy_chart(
        ctx.book,
        f"Cost-effectiveness plane: {ctx.label(one.id)} against {ctx.label(one.versus)}",
        series,
        Axis(title="QALYs gained", low=x_low, high=x_high, step=x_step, number_format=digits),
        Axis(title=f"Extra cost, {words}", low=y_low, high=y_high, step=y_step, number_format=form),
        on_top=marks,
    )
    sheet.place(
        top,
        5,
        chart,
        width=760,
        height=520,
        alt=f"Scatter of extra cost against QALYs gained of {ctx.label(one.id)}, with the "
        "thresholds as lines through the origin.",
    )


def write_ceac(ctx: Context, sheet: Sheet) -> None:
    """Fill ``CEAC & CEAF``."""
    made = summary(ctx)
    curve = made.curve
    row = head(ctx, sheet, "Cost-effectiveness acceptability", probabilistic=True)
    row = heading(
        sheet,
        row,
        "Probability of the highest net benefit of all strategies",
        "CEAF: the probability of the strategy with the highest mean net benefit.",
    )
    labels = [ctx.label(s) for s in curve.strategies]
    heads = (f"Threshold, {ctx.currency} per QALY", *labels, "CEAF", "Highest mean NMB")
    first = table_head(sheet, row, heads, 44)
    table = np.column_stack([curve.thresholds, curve.ceac, curve.ceaf])
    styles = [_MONEY, *([_SHARE] * (table.shape[1] - 1))]
    sheet.block(first, 0, table, styles)
    for offset, best in enumerate(curve.best.tolist()):
        sheet.text(first + offset, table.shape[1], labels[best], Style(align="right"))
    last = first + len(curve.thresholds) - 1
    x, shown = _threshold_axis(ctx, curve)
    thresholds = Cells(sheet, 0, first, first + shown)
    series = [
        Series(
            name=label,
            x=thresholds,
            y=Cells(sheet, place, first, first + shown),
            colour=ctx.colour(strategy),
            width=2.25,
        )
        for place, (strategy, label) in enumerate(
            zip(curve.strategies, labels, strict=True), start=1
        )
    ]
    frontier = Series(
        name="CEAF",
        x=thresholds,
        y=Cells(sheet, len(labels) + 1, first, first + shown),
        colour="#000000",
        width=1.5,
        dash="dash",
    )
    chart = xy_chart(
        ctx.book,
        "Cost-effectiveness acceptability curves and frontier",
        series,
        x,
        Axis(
            title="Probability of being cost-effective", low=0, high=1, step=0.2, number_format="0%"
        ),
        on_top=[frontier],
    )
    alt = "Probability that each strategy has the highest net benefit, by threshold."
    sheet.place(first - 1, len(labels) + 4, chart, width=760, height=460, alt=alt)
    sheet.widths((18, *([14] * (len(labels) + 1)), 20))
    sheet.freeze(first, 1)
    sheet.print_setup(area=(0, 0, min(last, first + PRINTED), len(labels) + 16), pages=1)


#: Rows of a long table that a print-out shows.
PRINTED = 45

#: Distance from their last values within which acceptability curves count as settled.
SETTLED = 0.1


def _threshold_axis(ctx: Context, curve: Acceptability) -> tuple[Axis, int]:
    """Axis up to where the curves hardly move, and the last point within it.

    It always holds the study's thresholds; the tables go on to the end of the curves.
    """
    far = np.abs(curve.ceac - curve.ceac[-1]).max(axis=1) > SETTLED
    moving = float(curve.thresholds[far].max(initial=0.0))
    wanted = max(moving, 1.5 * max(summary(ctx).thresholds))
    _, top, step = nice_limits(0.0, min(wanted, float(curve.thresholds[-1])), 8)
    form, words = money_scale(top, ctx.currency)
    axis = Axis(
        title=f"Willingness to pay, {words} per QALY",
        low=0,
        high=top,
        step=step,
        number_format=form,
    )
    return axis, int(np.searchsorted(curve.thresholds, top * (1 + 1e-9))) - 1


def write_evpi(ctx: Context, sheet: Sheet) -> None:
    """Fill ``EVPI``: per patient, with the expected loss of each strategy."""
    curve = summary(ctx).curve
    row = head(ctx, sheet, "Expected value of perfect information", probabilistic=True)
    row = heading(
        sheet,
        row,
        f"Per patient, {ctx.currency}",
        "Expected loss: net benefit lost on average by always choosing the strategy; the smallest "
        "is the EVPI.",
    )
    labels = [f"Loss, {ctx.label(s)}" for s in curve.strategies]
    first = table_head(sheet, row, (f"Threshold, {ctx.currency} per QALY", "EVPI", *labels), 44)
    sheet.text(first - 1, 1, "EVPI", Style("header", align="right"))
    losses = len(labels)
    table = np.column_stack([curve.thresholds, curve.expected_loss])
    sheet.block(first, 0, table[:, :1], [_MONEY])
    sheet.block(first, 2, table[:, 1:], [_MONEY] * losses)
    left, right = cell_name(0, 2)[:-1], cell_name(0, 1 + losses)[:-1]
    last = first + len(curve.thresholds) - 1
    rows = range(first + 1, last + 2)
    formulas = (f"=MIN({left}{r}:{right}{r})" for r in rows)
    sheet.formula_column(first, 1, formulas, curve.evpi, _LIVE_MONEY)
    x, shown = _threshold_axis(ctx, curve)
    thresholds = Cells(sheet, 0, first, first + shown)
    low, high, step = nice_limits(0.0, float(curve.evpi[: shown + 1].max()))
    form, words = money_scale(high, ctx.currency)
    chart = xy_chart(
        ctx.book,
        "Expected value of perfect information per patient",
        [
            Series(
                name="EVPI",
                x=thresholds,
                y=Cells(sheet, 1, first, first + shown),
                colour=REFERENCE_COLOUR,
                width=2.25,
            )
        ],
        x,
        Axis(title=f"EVPI per patient, {words}", low=low, high=high, step=step, number_format=form),
    )
    chart.set_legend({"none": True})
    alt = "Expected value of perfect information per patient, by threshold."
    sheet.place(first - 1, losses + 3, chart, width=760, height=460, alt=alt)
    sheet.widths((18, 14, *([18] * losses)))
    sheet.freeze(first, 1)
    sheet.print_setup(area=(0, 0, min(last, first + PRINTED), losses + 15), pages=1)
