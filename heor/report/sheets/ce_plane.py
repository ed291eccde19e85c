"""``CE plane``: extra cost against QALYs gained, draw by draw, with what summarises the cloud."""

from __future__ import annotations

import math

import numpy as np

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
from heor.report.live import (
    Column,
    Grid,
    Term,
    call,
    cell,
    largest,
    put,
    sum_of_products,
    where,
)
from heor.report.lookup import joined, whole_number
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.draw_terms import average, deviation, root, square, weighted
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.sheets.psa import RESULTS_ROW, RESULTS_TITLE, result_place, sample, stored_results
from heor.report.sheets.psa_summary import QUADRANTS
from heor.report.xlsx import Sheet, Style

#: Draws shown as points; shares and the ellipse count every draw.
POINTS = 2_000

#: Share of a normal cloud that its ellipse holds, and the angles at which it is drawn.
ELLIPSE_SHARE, ANGLES = 0.95, 60

#: Column of the points of the ellipse, right of the chart.
OUTLINE = 18

#: Rows that the chart takes.
CHART_ROWS = 30

_SHARE, _MONEY = Style("formula", unit="proportion"), Style("formula", unit="money")
_QALY, _NUMBER = Style("formula", unit="qaly"), Style("formula", unit="number")

#: Axis limits of a plane: QALYs from, to, step; costs from, to, step.
Limits = tuple[float, float, float, float, float, float]


def write_plane(ctx: Context, sheet: Sheet) -> None:
    """Fill ``CE plane``: a part per comparison with the reference."""
    row = head(ctx, sheet, "Cost-effectiveness plane", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    for strategy in ctx.others:
        row = _write_comparison(ctx, sheet, row, strategy) + 2
    sheet.widths((46, 16, 16, 16))
    sheet.widths((16, 16, 16), OUTLINE)
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, row, 17))


def _write_comparison(ctx: Context, sheet: Sheet, row: int, strategy: str) -> int:
    title = f"{ctx.label(strategy)} against {ctx.label(ctx.reference)}"
    top = row = heading(
        sheet, row, title, f"Shares and ellipse of all {stored_results(ctx):,} stored draws."
    )
    row = table_head(sheet, row, ("Quadrant", "Share of draws"), 18)
    words = [(key, label) for key, label, _, _ in QUADRANTS]
    for key, label in (*words, ("on axis", "On an axis")):
        sheet.text(row, 0, label)
        share = ctx.live[f"quadrant {key} {strategy}"]
        put(sheet, row, 1, share, Style("link", unit="proportion"))
        row += 1
    limits = _limits(ctx, strategy)
    points = _write_points(ctx, sheet, row + 1, strategy)
    lines = _write_lines(ctx, sheet, points + 3, limits)
    ellipse = lines + 2 * len(ctx.results.base.thresholds)
    end, outline = ellipse, None
    if stored_results(ctx) > 1:
        end, outline = _write_ellipse(ctx, sheet, ellipse + 1, top, strategy)
    _place_plane(ctx, sheet, top, strategy, points, lines, outline, limits)
    return max(end, top + CHART_ROWS)


def _write_points(ctx: Context, sheet: Sheet, row: int, strategy: str) -> int:
    """Give the row of the mean of the draws; the model's own point stands below it."""
    row = table_head(sheet, row, ("Point", "QALYs gained", f"Extra cost, {ctx.currency}"), 30)
    for offset, (words, key) in enumerate(
        (
            ("Mean of the draws", "mean delta"),
            ("Base case (or the draw or scenario that Control selects)", "delta"),
        )
    ):
        sheet.text(row + offset, 0, words)
        for column, name, unit in ((1, "qaly", "qaly"), (2, "cost", "money")):
            source = ctx.live[f"{key} {name} {strategy}"]
            put(sheet, row + offset, column, source, Style("link", unit=unit))
    return row


def _shown(ctx: Context, strategy: str) -> tuple[np.ndarray, np.ndarray]:
    """QALYs gained and extra cost of the draws shown."""
    count = min(POINTS, stored_results(ctx))
    qaly, cost = (ctx.live[f"draws delta {name} {strategy}"].value for name in ("qaly", "cost"))
    return qaly[:count], cost[:count]


def _limits(ctx: Context, strategy: str) -> Limits:
    qaly, cost = _shown(ctx, strategy)
    return (
        *nice_limits(float(qaly.min()), float(qaly.max())),
        *nice_limits(float(cost.min()), float(cost.max())),
    )


def _write_lines(ctx: Context, sheet: Sheet, row: int, limits: Limits) -> int:
    """Two ends of each threshold line, cut where it leaves the chart; give its first row."""
    x_low, x_high, _, y_low, y_high, _ = limits
    columns = (
        "Threshold line, end",
        "QALYs gained",
        f"Extra cost, {ctx.currency}",
        "Threshold, weighted",
    )
    row = table_head(sheet, row, columns, 30)
    first = row
    for index in range(len(ctx.results.base.thresholds)):
        threshold = ctx.live[f"threshold {index}"]
        term = weighted(ctx, threshold)
        slope = float(term.value)
        ends = (x_low, x_high)
        if slope > 0:
            ends = (max(x_low, y_low / slope), min(x_high, y_high / slope))
        for end in ends:
            words = joined(f"{ctx.currency} ", whole_number(threshold), " per QALY")
            put(sheet, row, 0, words, Style("formula"))
            sheet.number(row, 1, end, Style("value", unit="qaly"))
            worth = put(sheet, row, 3, term, _MONEY)
            put(sheet, row, 2, cell(sheet, row, 1, end) * worth, _MONEY)
            row += 1
    return first


def _write_ellipse(
    ctx: Context, sheet: Sheet, row: int, top: int, strategy: str
) -> tuple[int, tuple[int, int]]:
    """Ellipse of a bivariate normal with the draws' means and covariance; give its rows.

    With L the Cholesky factor of the covariance it is mean + r·L·(cos, sin), where
    r² = -2·ln(1 - share) is the quantile of chi-squared with two degrees of freedom.
    """
    live = ctx.live
    qaly, cost = (live[f"draws delta {name} {strategy}"] for name in ("qaly", "cost"))
    row = heading(
        sheet,
        row,
        "Ellipse",
        "That of a bivariate normal distribution with the means and the covariance of the draws.",
    )
    sheet.text(row, 0, "Share of a normal cloud that it holds")
    sheet.number(row, 1, ELLIPSE_SHARE, Style("value", unit="proportion"))
    share = cell(sheet, row, 1, ELLIPSE_SHARE)
    two = ctx.constants.term(2, "The power of a square")
    free = live["draws n"] - 1

    def line(offset: int, words: str, term: Term, style: Style) -> Term:
        sheet.text(row + offset, 0, words)
        return put(sheet, row + offset, 1, term, style)

    mean_qaly, mean_cost = average(qaly), average(cost)
    radius = line(
        1,
        "Radius in standard deviations",
        root(two * call("LN", np.log, 1 / (1 - share))),
        _NUMBER,
    )
    spread = line(2, "SD of QALYs gained", deviation(qaly), _NUMBER)
    product = sum_of_products((qaly - mean_qaly) * (cost - mean_cost)) / free
    along = line(
        3,
        f"Cost that moves with one SD of QALYs, {ctx.currency}",
        where(spread > 0, product / spread, 0),
        _MONEY,
    )
    across = line(
        4,
        f"SD of the cost beyond that, {ctx.currency}",
        root(largest(0, square(ctx, deviation(cost)) - square(ctx, along))),
        _MONEY,
    )
    first = (qaly - mean_qaly) / spread
    second = (cost - mean_cost - along * first) / across
    inside = sum_of_products((square(ctx, first) + square(ctx, second) <= square(ctx, radius)) * 1)
    flat = where((spread * across).equals(0), 1, inside / live["draws n"])
    line(5, "Share of the draws inside", flat, _SHARE)
    columns = ("Angle, radians", "QALYs gained", f"Extra cost, {ctx.currency}")
    start = top + 2
    angles = np.linspace(0.0, 2 * math.pi, ANGLES + 1)
    sheet.text(start - 1, OUTLINE, columns[0], Style("header", align="right"))
    sheet.block(start, OUTLINE, angles.reshape(-1, 1), [Style("value", unit="number")])
    angle = Column(sheet, OUTLINE, start, angles).here
    grid = Grid(sheet, len(angles), start, OUTLINE + 1)
    cosine, sine = call("COS", np.cos, angle), call("SIN", np.sin, angle)
    qaly_mean = live[f"mean delta qaly {strategy}"]
    cost_mean = live[f"mean delta cost {strategy}"]
    grid.add("qaly", columns[1], qaly_mean + radius * spread * cosine, _QALY)
    grid.add("cost", columns[2], cost_mean + radius * (along * cosine + across * sine), _MONEY)
    return max(row + 6, start + len(angles)), (start, start + len(angles) - 1)


def _place_plane(
    ctx: Context,
    sheet: Sheet,
    top: int,
    strategy: str,
    points: int,
    lines: int,
    outline: tuple[int, int] | None,
    limits: Limits,
) -> None:
    x_low, x_high, x_step, y_low, y_high, y_step = limits
    count = min(POINTS, stored_results(ctx))
    results = ctx.book.sheets[RESULTS_TITLE]
    last = RESULTS_ROW + count - 1
    every = "" if count == sample(ctx).n else f" (first {count:,})"
    series = [
        Series(
            name=f"Draws{every}",
            x=Cells(results, result_place(ctx, "delta qaly", strategy), RESULTS_ROW, last),
            y=Cells(results, result_place(ctx, "delta cost", strategy), RESULTS_ROW, last),
            colour=lighter(ctx.colour(strategy)),
            line=False,
            marker="circle",
            marker_size=3,
        )
    ]
    dashes = ("round_dot", "dash", "solid", "long_dash")
    for index in range(len(ctx.results.base.thresholds)):
        row = lines + 2 * index
        series.append(
            Series(
                name=f"={sheet.ref(row, 0)}",
                x=Cells(sheet, 1, row, row + 1),
                y=Cells(sheet, 2, row, row + 1),
                colour=REFERENCE_COLOUR,
                width=1.25,
                dash=dashes[index % len(dashes)],
            )
        )
    marks = []
    if outline is not None:
        marks.append(
            Series(
                name=f"{ELLIPSE_SHARE:.0%} ellipse",
                x=Cells(sheet, OUTLINE + 1, *outline),
                y=Cells(sheet, OUTLINE + 2, *outline),
                colour=ctx.colour(strategy),
                width=1.75,
            )
        )
    for offset, (name, marker, hollow) in enumerate(
        (("Mean of the draws", "diamond", False), ("Base case", "x", True))
    ):
        row = points + offset
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
        f"Cost-effectiveness plane: {ctx.label(strategy)} against {ctx.label(ctx.reference)}",
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
        height=540,
        alt=f"Scatter of extra cost against QALYs gained of {ctx.label(strategy)}, draw by draw, "
        "with the thresholds as lines through the origin, the mean of the draws, the base case "
        f"and the {ELLIPSE_SHARE:.0%} ellipse.",
    )
