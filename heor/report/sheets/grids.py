"""``Two-way`` and ``Threshold values``: two parameters together; where a decision turns."""

from __future__ import annotations

from heor.analyses.thresholds import ThresholdRow, Turning, shown_rows
from heor.analyses.two_way import Grid, GridAxis, TwoWayResult
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.comparison import DASH, ratio_value
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.xlsx import BOLD, NOTE, Sheet, Style
from heor.spec.parameters import FloatArray

_MONEY = Style("value", unit="money", align="right")

#: Most columns of a grid that are printed on a page.
_WIDTH = 13


def shown(value: float) -> str:
    """Format of a parameter's value: as it is when short, else rounded."""
    if abs(value) >= 1000:
        return "count"
    return "" if float(f"{value:.4g}") == value else "number"


def write_two_way(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Two-way``: per pair and comparison, net benefit as a heat map and the ICER.

    A comparison that does not depend on the pair is left out.
    """
    row = head(ctx, sheet, "Two-way sensitivity analysis")
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    columns = 2
    for result in ctx.results.two_way:
        columns = max(columns, len(result.x.values) + 2)
        for grid in result.grids:
            if (
                grid.inmb.max(axis=(1, 2)) > grid.inmb.min(axis=(1, 2))
            ).any():  # the pair may not touch this strategy
                row = _write_grid(ctx, sheet, row, result, grid) + 1
    sheet.widths((34, *([_WIDTH] * (columns - 1))))
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, row, columns - 1))


def _write_grid(ctx: Context, sheet: Sheet, row: int, result: TwoWayResult, grid: Grid) -> int:
    x, y = result.x, result.y
    against = f"{ctx.label(grid.id)} against {ctx.label(grid.versus)}"
    row = heading(
        sheet,
        row,
        f"{x.label} and {y.label}: {against}",
        f"Every cell is a run of the model with both set (methods 7.6). Base case: {x.label} "
        f"{x.base_value:,.6g}, {y.label} {y.base_value:,.6g}.",
    )
    at = ctx.per_qaly(result.threshold)
    inmb = grid.inmb[result.place]
    row = _matrix_head(sheet, row, f"INMB at {at}, {ctx.currency}", x, y)
    first = row
    for j, value in enumerate(y.values):
        sheet.number(row, 1, float(value), Style("value", unit=shown(float(value)), bold=True))
        for i in range(len(x.values)):
            sheet.number(row, 2 + i, float(inmb[j, i]), _MONEY)
        row += 1
    _side(sheet, first, y)
    sheet.heat_map(first, 2, inmb)
    words = _where(inmb, ctx.label(grid.id), at)
    sheet.text(row, 0, words, NOTE)
    row = _matrix_head(sheet, row + 2, f"ICER, {ctx.currency} per QALY", x, y)
    first = row
    for j, value in enumerate(y.values):
        sheet.number(row, 1, float(value), Style("value", unit=shown(float(value)), bold=True))
        for i in range(len(x.values)):
            ratio = ratio_value(float(grid.delta_cost[j, i]), float(grid.delta_qaly[j, i]))
            sheet.cell(row, 2 + i, ratio, _MONEY)
        row += 1
    _side(sheet, first, y)
    return row + 1


def _where(inmb: FloatArray, label: str, at: str) -> str:
    """Say in words where net benefit is positive."""
    share = float((inmb > 0).mean())
    if share in (0.0, 1.0):
        word = "nowhere" if share == 0 else "everywhere"
        return f"{label} is cost-effective {word} on this grid at {at}."
    return f"{label} is cost-effective in {share:.0%} of the cells at {at} (blue)."


def _matrix_head(sheet: Sheet, row: int, title: str, x: GridAxis, y: GridAxis) -> int:
    sheet.text(row, 0, title, BOLD)
    unit = f", {x.unit}" if x.unit else ""
    sheet.text(row, 2, f"{x.label}{unit}", BOLD)
    row += 1
    sheet.text(row, 0, "", Style("header"))
    sheet.text(row, 1, "", Style("header"))
    for i, value in enumerate(x.values):
        style = Style("header", unit=shown(float(value)), align="right")
        sheet.number(row, 2 + i, float(value), style)
    return row + 1


def _side(sheet: Sheet, row: int, y: GridAxis) -> None:
    sheet.text(row, 0, y.label, BOLD)
    if y.unit:
        sheet.text(row + 1, 0, y.unit, NOTE)


# --- threshold values ----------------------------------------------------------------------------


def write_thresholds(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Threshold values``: per parameter the values at which net benefit is 0."""
    result = ctx.results.thresholds
    assert result is not None
    row = head(ctx, sheet, "Threshold values")
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    turning = [one for one in result.rows if one.changes_decision]
    sheet.text(
        row,
        0,
        f"{len(turning)} of {len(result.rows)} parameters change the decision at one of the "
        "thresholds, alone and between their low and high values."
        if turning
        else f"None of {len(result.rows)} parameters changes the decision at any threshold, alone "
        "and between its low and high values.",
        BOLD,
    )
    row += 2
    kept = shown_rows(result)
    ordered = [*kept, *(one for one in result.rows if one not in kept)]
    count = len(result.thresholds)
    pairs = list(dict.fromkeys((t.id, t.versus) for one in ordered for t in one.turnings))
    for strategy, versus in pairs:
        row = _write_pair(ctx, sheet, row, ordered, strategy, versus) + 1
    if result.left_out:
        row = heading(sheet, row, "Uncertain parameters that are left out")
        for name, reason in result.left_out:
            parameter = ctx.results.spec.parameters[name]
            sheet.text(row, 0, parameter.label or name)
            sheet.text(row, 2, reason)
            row += 1
    sheet.widths((52, 14, 12, 12, 12, 16, 16, *([20] * count)))
    sheet.freeze(4, 1)
    sheet.print_setup(area=(0, 0, row, 6 + count))


def _write_pair(
    ctx: Context,
    sheet: Sheet,
    row: int,
    rows: list[ThresholdRow],
    strategy: str,
    versus: str,
) -> int:
    result = ctx.results.thresholds
    assert result is not None
    middle = ctx.threshold_index()
    row = heading(
        sheet,
        row,
        f"{ctx.label(strategy)} against {ctx.label(versus)}",
        "Value of the parameter at which both have the same net benefit, everything else at base "
        "(methods 7.7); ↑ better above it, ↓ better below it, * another strategy is better than "
        f"both there, ! net benefit jumps over 0. {DASH}: no such value between low and high.",
    )
    money = ctx.currency
    at = f"{ctx.results.base.thresholds[middle]:,.0f}"
    heads = (
        *("Parameter", "Unit", "Base", "Low", "High"),
        *(f"INMB at low, threshold {at}, {money}", f"INMB at high, threshold {at}, {money}"),
        *(f"At {k:,.0f} {money} per QALY" for k in result.thresholds),
    )
    row = table_head(sheet, row, heads, 44)
    for one in rows:
        found = {t.threshold: t for t in one.turnings if (t.id, t.versus) == (strategy, versus)}
        if not found:
            continue
        sheet.text(row, 0, one.label)
        sheet.text(row, 1, one.unit, Style(align="right"))
        for column, value in enumerate((one.base_value, one.low, one.high), start=2):
            style = Style("value", unit=shown(value), align="right")
            sheet.number(row, column, value, style)
        centre = found.get(result.thresholds[middle])
        if centre is not None:
            sheet.number(row, 5, centre.at_low, _MONEY)
            sheet.number(row, 6, centre.at_high, _MONEY)
        for place, threshold in enumerate(result.thresholds):
            text = _roots(found.get(threshold))
            sheet.text(row, 7 + place, text, Style("value", align="right", bold=text != DASH))
        row += 1
    return row


def _roots(one: Turning | None) -> str:
    if one is None:
        return DASH
    if one.always:
        return "everywhere"
    marks = (
        f"{root.value:,.6g} {'↑' if root.rising else '↓'}"
        f"{'' if root.decision else '*'}{'!' if root.jump else ''}"
        for root in one.roots
    )
    return "; ".join(marks) or DASH
