"""``Importance``: what the spread over the draws comes from."""

from __future__ import annotations

from heor.analyses.importance import Explained
from heor.report.charts import Axis, Cells, Series, bar_chart, nice_limits
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.comparison import DASH
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.xlsx import Sheet, Style

#: Bars of the chart; the table holds every input.
BARS = 20

_SHARE = Style("value", unit="proportion")
_NUMBER = Style("value", unit="share", align="right")


def write_importance(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Importance``: shares of variance by input, per comparison."""
    result = ctx.results.importance
    assert result is not None
    row = head(ctx, sheet, "What the spread of the PSA comes from", probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    for strategy in ctx.others:
        row = _write_comparison(ctx, sheet, row, result.of(strategy, "inmb")) + 2
    sheet.widths((52, 13, 11, 13, 11, 13, 13, 15, 15))
    sheet.freeze(4, 1)
    sheet.print_setup(area=(0, 0, row, 8))


def _write_comparison(ctx: Context, sheet: Sheet, row: int, one: Explained) -> int:
    result = ctx.results.importance
    assert result is not None
    at = ctx.per_qaly(result.threshold)
    row = heading(
        sheet,
        row,
        f"INMB of {ctx.label(one.id)} against {ctx.label(one.versus)} at {at}",
        f"SD over the draws {one.sd:,.0f} {ctx.currency}. A regression that is linear in all "
        f"inputs explains {one.r2:.1%} of the variance (methods 7.9). Inputs drawn jointly count "
        "as one.",
    )
    chart_row = row
    bars = min(BARS, len(one.rows))
    row += (150 + 22 * bars) // 20 + 2
    heads = (
        *("Input", "Explained by it alone", "± SE", "Linear share", "± SE"),
        *("Standardised coefficient", "Rank correlation"),
        *("Explained of extra cost", "Explained of QALYs gained"),
    )
    first = table_head(sheet, row, heads, 44)
    others = [
        {r.factor.name: r.first for r in result.of(one.id, outcome).rows}
        for outcome in ("delta_cost", "delta_qaly")
    ]
    for row, found in enumerate(one.rows, start=first):
        sheet.text(row, 0, found.factor.label)
        for column, value in enumerate(
            (found.first, found.first_se, found.share, found.share_se), start=1
        ):
            sheet.number(row, column, value, _SHARE)
        sheet.cell(row, 5, DASH if found.src is None else found.src, _NUMBER)
        sheet.cell(row, 6, DASH if found.rank is None else found.rank, _NUMBER)
        for column, shares in enumerate(others, start=7):
            sheet.number(row, column, shares[found.factor.name], _SHARE)
    _, high, step = nice_limits(0.0, max(found.first for found in one.rows))
    chart = bar_chart(
        ctx.book,
        f"Variance of INMB explained by each input alone, {ctx.label(one.id)}, the {bars} largest",
        [
            Series(
                name="Explained by it alone",
                x=Cells(sheet, 0, first, first + bars - 1),
                y=Cells(sheet, 1, first, first + bars - 1),
                colour=ctx.colour(one.id),
            )
        ],
        Axis(
            title=f"Share of the variance of INMB at {at}",
            low=0.0,
            high=high,
            step=step,
            number_format="0%",
        ),
        Axis(title="Input"),
        overlap=False,
    )
    chart.set_legend({"none": True})
    sheet.place(
        chart_row,
        0,
        chart,
        width=1000,
        height=150 + 22 * bars,
        alt=f"Bars of the share of the variance of net benefit of {ctx.label(one.id)} that each "
        "input explains alone.",
    )
    return row + 1
