"""``VOI``: what knowing inputs perfectly would be worth, ranked; EVPI as formulas over the draws.

The EVPPI comes from regressions, so it is pasted; shares of the EVPI and values of the population
are formulas.
"""

from __future__ import annotations

from heor.analyses.voi_results import Evppi, VoiResult
from heor.report.charts import Axis, Cells, Series, bar_chart, money_scale, nice_limits
from heor.report.live import Column, Grid, Term, cell, put, where
from heor.report.sheets.acceptability import add_evpi
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.draw_terms import weighted
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.xlsx import BOLD, Sheet, Style

#: Bars of the chart; the table holds every set of inputs.
BARS = 20

_VALUE, _MONEY = Style("value", unit="money"), Style("formula", unit="money")
_PART = Style("value", unit="percent_fine")


def write_voi(ctx: Context, sheet: Sheet) -> None:
    """Fill ``VOI``: EVPI at each threshold, then the ranking at the least certain one."""
    found = ctx.results.voi
    assert found is not None
    row = head(ctx, sheet, "Value of information", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    row = _write_evpi(ctx, sheet, row, found)
    at = int(found.evpi.argmax())
    row = _write_ranking(ctx, sheet, row + 2, found, at)
    sheet.widths((52, *([16] * 10)))
    sheet.freeze(4, 1)
    sheet.print_setup(area=(0, 0, row, 10))


def _write_evpi(ctx: Context, sheet: Sheet, row: int, found: VoiResult) -> int:
    """Write the EVPI over the stored draws, per patient and for the population; next row."""
    row = heading(
        sheet,
        row,
        "Perfect information",
        "EVPI: what settling all uncertainty would be worth (methods 7.4). Thresholds: those of "
        "the study, and the one at which the EVPI is largest.",
    )
    if found.patients is not None:
        sheet.text(row, 0, "Patients over the decision horizon, discounted", BOLD)
        patients = cell(sheet, row, 1, found.patients)
        sheet.number(row, 1, found.patients, Style("value", unit="count"))
        row += 2
    thresholds, first = found.thresholds, row + 1
    count = len(thresholds)
    sheet.text(row, 0, f"Threshold, {ctx.currency} per QALY", Style("header"))
    sheet.block(first, 0, thresholds.reshape(-1, 1), [_VALUE])
    threshold = Column(sheet, 0, first, thresholds)
    grid = Grid(sheet, count, first, 1)
    worth = grid.add("worth", "Threshold × severity weight", weighted(ctx, threshold.here), _MONEY)
    evpi = add_evpi(ctx, grid, worth)
    if found.patients is not None:
        grid.add("population", "EVPI of the population", evpi.here * patients, _MONEY)
        ctx.live["voi patients"] = patients
    at = int(found.evpi.argmax())
    ctx.live["voi evpi"] = cell(sheet, first + at, evpi.place, float(evpi.values[at]))
    sheet.height(row, 58)
    return first + count


def _write_ranking(ctx: Context, sheet: Sheet, row: int, found: VoiResult, at: int) -> int:
    money = ctx.currency
    threshold = ctx.per_qaly(float(found.thresholds[at]))
    row = heading(
        sheet,
        row,
        f"What knowing each input perfectly would be worth, per patient, at {threshold}",
        "EVPPI by regression of net benefit on the inputs (methods 7.4), with its standard error; "
        "near 0 it is too high by about that error. Explains: share of the variance of net "
        "benefit. Fit: below 0.01 the regression misses a pattern.",
    )
    shown = [one for one in found.sets if one.evppi[at] > 0][:BARS]
    chart_row = row
    row += _chart_height(len(shown)) // 20 + 2 if shown else 0
    headings = ["Inputs", f"EVPPI, {money}", "Standard error", "Explains", "Fit", "Share of EVPI"]
    headings += ["EVPPI of the population"] if found.patients is not None else []
    others = [place for place in range(len(found.thresholds)) if place != at]
    headings += [f"EVPPI at {ctx.per_qaly(float(found.thresholds[i]))}" for i in others]
    first = table_head(sheet, row, headings, 58)
    row = first
    for one in found.sets:
        _write_set(ctx, sheet, row, found, one, at, others)
        row += 1
    if shown:
        _place_chart(ctx, sheet, chart_row, first, [float(one.evppi[at]) for one in shown])
    return row


def _write_set(
    ctx: Context,
    sheet: Sheet,
    row: int,
    found: VoiResult,
    one: Evppi,
    at: int,
    others: list[int],
) -> None:
    sheet.text(row, 0, found.names.get(one.parameters, " + ".join(one.parameters)))
    sheet.number(row, 1, float(one.evppi[at]), _VALUE)
    sheet.number(row, 2, float(one.se[at]), _VALUE)
    sheet.number(row, 3, float(one.explained[at]), _PART)
    sheet.number(row, 4, float(one.lack_of_fit[at]), Style("value", unit="number"))
    value = cell(sheet, row, 1, float(one.evppi[at]))
    whole: Term = ctx.live["voi evpi"]
    share = where(whole > 0, value / where(whole > 0, whole, 1), 0)
    put(sheet, row, 5, share, Style("formula", unit="percent_fine"))
    place = 6
    if found.patients is not None:
        put(sheet, row, place, value * ctx.live["voi patients"], _MONEY)
        place += 1
    for offset, other in enumerate(others):
        sheet.number(row, place + offset, float(one.evppi[other]), _VALUE)


def _chart_height(bars: int) -> int:
    return 150 + 22 * bars


def _place_chart(ctx: Context, sheet: Sheet, row: int, first: int, values: list[float]) -> None:
    low, high, step = nice_limits(0.0, max(values))
    form, words = money_scale(high, ctx.currency)
    last = first + len(values) - 1
    chart = bar_chart(
        ctx.book,
        "Value of knowing each input perfectly, per patient",
        [
            Series(
                name="EVPPI",
                x=Cells(sheet, 0, first, last),
                y=Cells(sheet, 1, first, last),
                colour=ctx.colour(ctx.others[0] if ctx.others else ctx.reference),
            )
        ],
        Axis(title=f"EVPPI, {words}", low=low, high=high, step=step, number_format=form),
        Axis(title="Inputs"),
        overlap=False,
    )
    chart.set_legend({"none": True})
    sheet.place(
        row,
        0,
        chart,
        width=1000,
        height=_chart_height(len(values)),
        alt="Bars of the value of knowing each input perfectly, the largest first.",
    )
