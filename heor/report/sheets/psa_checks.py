"""``PSA checks``: whether the draws are what was asked for, and how precise they are."""

from __future__ import annotations

import numpy as np

from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.comparison import DASH
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.sheets.psa import summary
from heor.report.xlsx import AFTER, Sheet, Style

_MONEY = Style("value", unit="money", align="right")
_RATIO = Style("value", unit="ratio", align="right")
_SHARE = Style("value", unit="share", align="right")
_COUNT = Style("value", unit="count", align="right")


def write_psa_checks(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA checks``: precision, correlations, caps and inputs as drawn."""
    row = head(ctx, sheet, "Checks of the PSA", probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    row = _write_precision(ctx, sheet, row)
    row = _write_steps(ctx, sheet, row + 1)
    row = _write_correlations(ctx, sheet, row + 1)
    row = _write_caps(ctx, sheet, row + 1)
    row = _write_inputs(ctx, sheet, row + 1)
    sheet.widths((46, *([15] * 7), 60))
    sheet.freeze(4, 1)
    sheet.print_setup(area=(0, 0, row, 8))


def _write_precision(ctx: Context, sheet: Sheet, row: int) -> int:
    made, money = summary(ctx), ctx.currency
    how = made.sampler.replace("_", " ")
    parts = f", {made.replicates} randomisations" if made.replicates > 1 else ""
    row = heading(
        sheet,
        row,
        "Precision of mean INMB at the middle threshold",
        f"{made.n:,} draws, {how}{parts}. 95% interval by Student's t. Worth of a draw: "
        "independent draws that would give the same standard error, per draw (methods 7.5).",
    )
    heads = (
        "Strategy",
        f"Mean INMB, {money}",
        f"MC standard error, {money}",
        f"95% interval ±, {money}",
        "Degrees of freedom",
        f"Standard error of independent draws, {money}",
        "Worth of a draw",
    )
    row = table_head(sheet, row, heads, 58)
    for one in made.precision:
        sheet.text(row, 0, ctx.label(one.id))
        cells = (one.mean, one.mcse, one.half_width, one.degrees, one.mcse_if_random, one.gain)
        styles = (_MONEY, _MONEY, _MONEY, _COUNT, _MONEY, _RATIO)
        for column, (value, style) in enumerate(zip(cells, styles, strict=True), start=1):
            sheet.cell(row, column, value if np.isfinite(value) else DASH, style)
        row += 1
    return row


def _write_steps(ctx: Context, sheet: Sheet, row: int) -> int:
    made = summary(ctx)
    if not made.steps:
        return row - 1
    row = heading(sheet, row, "Steps to the precision asked for", made.stopping)
    row = table_head(sheet, row, ("Step", "Draws", f"MC standard error, {ctx.currency}"))
    for number, (draws, mcse) in enumerate(made.steps, start=1):
        sheet.text(row, 0, str(number))
        sheet.number(row, 1, draws, _COUNT)
        sheet.number(row, 2, mcse, _MONEY)
        row += 1
    return row


def _write_correlations(ctx: Context, sheet: Sheet, row: int) -> int:
    checks = summary(ctx).correlation_checks
    if not checks:
        return row - 1
    row = heading(
        sheet,
        row,
        "Correlations of inputs drawn together",
        "Of the draws, beside what the table correlations asks for.",
    )
    heads = ("Pair", "Kind", "Asked", "Drawn", "Standard error", "Error in SE")
    row = table_head(sheet, row, heads)
    for one in checks:
        sheet.text(row, 0, f"{one.row}, {one.column}")
        sheet.text(row, 1, one.kind, Style(align="right"))
        for column, value in enumerate((one.asked, one.achieved, one.se), start=2):
            sheet.number(row, column, value, _SHARE)
        sheet.cell(row, 5, DASH if one.error_in_se is None else one.error_in_se, _RATIO)
        row += 1
    return row


def _write_caps(ctx: Context, sheet: Sheet, row: int) -> int:
    rows = summary(ctx).crossing
    if not rows:
        return row - 1
    row = heading(
        sheet,
        row,
        "Draws in which a cap or a guard acted",
        "A guard that fails stops the run (methods 10), so no draw is dropped or drawn again.",
    )
    heads = (
        "Strategy",
        "Draws",
        "Curves crossed",
        "Above the limit",
        "Population mortality bound",
        "Guard failed",
    )
    row = table_head(sheet, row, heads, 44)
    for one in rows:
        sheet.text(row, 0, ctx.label(one.strategy))
        counts = (one.of_draws, one.draws, one.draws_over_limit, one.floor_draws, 0)
        for column, value in enumerate(counts, start=1):
            sheet.number(row, column, value, _COUNT)
        row += 1
    return row


def _write_inputs(ctx: Context, sheet: Sheet, row: int) -> int:
    checks = summary(ctx).parameter_checks
    if not checks:
        return row - 1
    row = heading(
        sheet,
        row,
        "Inputs as drawn",
        "Mean and SD of the draws against the distribution's; errors in Monte Carlo standard "
        "errors. By chance about 1 in 20 is beyond 2, and 1 in 370 beyond 3.",
    )
    heads = (
        *("Parameter", "Mean", "Mean of draws", "Error in SE"),
        *("SD", "SD of draws", "SD ratio", "Error in SE", "Warning"),
    )
    row = table_head(sheet, row, heads, 18, texts=("Warning",))
    for one in checks:
        parameter = ctx.results.spec.parameters.get(one.parameter)
        label = parameter.label if parameter is not None and parameter.label else one.parameter
        sheet.text(row, 0, label)
        unit = "money_cents" if abs(one.mean) >= 1000 else "number"
        number = Style("value", unit=unit, align="right")
        cells = (
            (one.mean, number),
            (one.sample_mean, number),
            (one.error_in_se, _RATIO),
            (one.sd, number),
            (one.sample_sd, number),
            (one.sd_ratio, _RATIO),
            (one.sd_error_in_se, _RATIO),
        )
        for column, (value, style) in enumerate(cells, start=1):
            known = value is not None and np.isfinite(value)
            sheet.cell(row, column, value if known else DASH, style)
        sheet.text(row, 8, one.warning, AFTER)
        row += 1
    return row
