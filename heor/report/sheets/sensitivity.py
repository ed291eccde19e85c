"""``Scenario results`` and ``DSA``: what named changes and single parameters do to the result."""

from __future__ import annotations

from collections.abc import Sequence

from heor.analyses.results import BaseCase, DsaBar, DsaComparison, DsaPoint, ScenarioResult
from heor.report.charts import (
    HIGH_COLOUR,
    LOW_COLOUR,
    Axis,
    Cells,
    Series,
    bar_chart,
    money_scale,
    nice_limits,
)
from heor.report.live import cell, put
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.comparison import ratio_term, ratio_value
from heor.report.sheets.layout import HEAD_ROWS, Context, fit_height, head, heading, table_head
from heor.report.xlsx import AFTER, AFTER_WRAP, WRAP, Sheet, Style, cell_name

#: Bars of a chart; the tables hold every row.
TORNADO_BARS, SCENARIO_BARS = 20, 60

#: Widths of the scenario table, in characters.
_WIDTHS = (44, 14, 12, 18, 14, 14, 14, 14, 14, 46, 60)

_MONEY, _QALY = Style("value", unit="money"), Style("value", unit="qaly")
_RATIO = Style("value", unit="money", align="right")
_LIVE_MONEY = Style("formula", unit="money")
_LIVE_RATIO = Style("formula", unit="money", align="right")


def write_scenarios(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Scenario results``: one table and one chart per comparison."""
    row = head(ctx, sheet, "Scenarios", live=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    base, money = ctx.results.base, ctx.currency
    index = ctx.threshold_index()
    at = ctx.per_qaly(base.thresholds[index])
    for one in base.pairwise:
        title = f"{ctx.label(one.id)} against {ctx.label(one.versus)}"
        row = heading(
            sheet,
            row,
            title,
            f"INMB at {at}. The change is against the base case; a favourable change favours "
            f"{ctx.label(one.id)}. Person-time capped: share of life years moved where an inner "
            "curve crosses an outer one (methods 1.3).",
        )
        chart_row = row
        row += _chart_rows(len(ctx.results.scenarios)) + 1
        start = table_head(
            sheet,
            row,
            (
                "Scenario",
                f"Extra cost, {money}",
                "QALYs gained",
                f"ICER, {money} per QALY",
                f"INMB, {money}",
                f"Change in INMB, {money}",
                f"Person-time capped, {ctx.label(one.id)}",
                f"Person-time capped, {ctx.label(one.versus)}",
                "Direction",
                "What changes",
                "Purpose",
            ),
            58,
            texts=("Direction", "What changes", "Purpose"),
        )
        row = _write_scenario_rows(ctx, sheet, start, one.id, index)
        _place_scenario_chart(ctx, sheet, (start, row), chart_row, one.id, at)
        row += 2
    sheet.widths(_WIDTHS)
    sheet.freeze(4, 1)
    sheet.print_setup(area=(0, 0, row, len(_WIDTHS) - 1))


def _write_scenario_rows(ctx: Context, sheet: Sheet, row: int, strategy: str, index: int) -> int:
    base = next(one for one in ctx.results.base.pairwise if one.id == strategy)
    sheet.text(row, 0, "Base case", Style(bold=True))
    sheet.number(row, 1, base.delta_cost, _MONEY)
    sheet.number(row, 2, base.delta_qaly, _QALY)
    _put_ratio(ctx, sheet, row, base.delta_cost, base.delta_qaly)
    sheet.number(row, 4, base.inmb[index], _MONEY)
    _write_crossing(ctx, sheet, row, ctx.results.base, strategy)
    base_cell = cell_name(row, 4, absolute=True)
    sheet.formula(row, 5, f"={cell_name(row, 4)}-{base_cell}", 0.0, _LIVE_MONEY)
    row += 1
    for scenario in ctx.results.scenarios:
        _write_scenario(ctx, sheet, row, scenario, strategy, index, base_cell, base.inmb[index])
        row += 1
    return row


def _write_scenario(
    ctx: Context,
    sheet: Sheet,
    row: int,
    scenario: ScenarioResult,
    strategy: str,
    index: int,
    base_cell: str,
    base_inmb: float,
) -> None:
    """Write increments against the base study's reference, whatever the scenario's reference is."""
    effect = next(one for one in scenario.effects if one.id == strategy)
    mine = scenario.result.totals(strategy)
    theirs = scenario.result.totals(ctx.reference)
    cost, qaly = mine.cost - theirs.cost, mine.qaly - theirs.qaly
    sheet.text(row, 0, scenario.name, WRAP)
    sheet.number(row, 1, cost, _MONEY)
    sheet.number(row, 2, qaly, _QALY)
    _put_ratio(ctx, sheet, row, cost, qaly)
    _write_crossing(ctx, sheet, row, scenario.result, strategy)
    sheet.number(row, 4, effect.inmb[index], _MONEY)
    change = effect.inmb[index] - base_inmb
    sheet.formula(row, 5, f"={cell_name(row, 4)}-{base_cell}", change, _LIVE_MONEY)
    sheet.text(row, 8, effect.direction, AFTER)
    changes = "; ".join(f"{target} = {value}" for target, value in scenario.changes)
    sheet.text(row, 9, changes, AFTER_WRAP)
    sheet.text(row, 10, scenario.purpose, AFTER_WRAP)
    texts = (scenario.name, changes, scenario.purpose)
    fit_height(sheet, row, tuple(zip(texts, (_WIDTHS[0], *_WIDTHS[9:]), strict=True)))


def _put_ratio(ctx: Context, sheet: Sheet, row: int, cost: float, qaly: float) -> None:
    """Write the ratio of the two pasted increments before it."""
    term = ratio_term(ctx, cell(sheet, row, 1, cost), cell(sheet, row, 2, qaly))
    put(sheet, row, 3, term, _LIVE_RATIO)


def _write_crossing(ctx: Context, sheet: Sheet, row: int, result: BaseCase, strategy: str) -> None:
    """Write the share of life years that the cap moves, of both strategies compared."""
    for column, one in ((6, strategy), (7, ctx.reference)):
        place = result.outcomes.strategies.index(one)
        share = float(result.outcomes.diagnostics["crossing_share"][0, place])
        sheet.number(row, column, share, Style("value", unit="percent_fine"))


def _chart_rows(bars: int) -> int:
    return (160 + 19 * min(bars, SCENARIO_BARS)) // 20 + 1


def _place_scenario_chart(
    ctx: Context, sheet: Sheet, rows: tuple[int, int], chart_row: int, strategy: str, at: str
) -> None:
    """Bars over ``rows`` of the table: its first, of the base case, and the one after its last."""
    start, end = rows
    first, last = start + 1, min(end - 1, start + SCENARIO_BARS)
    if last < first:
        return
    index = ctx.threshold_index()
    base = next(one for one in ctx.results.base.pairwise if one.id == strategy).inmb[index]
    changes = [
        next(e for e in s.effects if e.id == strategy).inmb[index] - base
        for s in ctx.results.scenarios[: last - first + 1]
    ]
    low, high, step = nice_limits(min(changes), max(changes))
    form, words = money_scale(max(abs(low), abs(high)), ctx.currency)
    chart = bar_chart(
        ctx.book,
        f"Change in INMB by scenario, {ctx.label(strategy)}",
        [
            Series(
                name="Change in INMB",
                x=Cells(sheet, 0, first, last),
                y=Cells(sheet, 5, first, last),
                colour=ctx.colour(strategy),
            )
        ],
        Axis(
            title=f"Change in INMB at {at}, {words} (0 = base {base:,.0f})",
            low=low,
            high=high,
            step=step,
            number_format=form,
        ),
        Axis(title="Scenario"),
        overlap=False,
    )
    chart.set_legend({"none": True})
    sheet.place(
        chart_row,
        0,
        chart,
        width=1000,
        height=160 + 19 * len(changes),
        alt=f"Bars of the change in incremental net monetary benefit of {ctx.label(strategy)} "
        f"in each scenario, at {at}.",
    )


def write_dsa(ctx: Context, sheet: Sheet) -> None:
    """Fill ``DSA``: a tornado on INMB and the table of every parameter, per comparison."""
    dsa = ctx.results.dsa
    assert dsa is not None
    row = head(ctx, sheet, "One-way sensitivity analysis", live=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    for comparison in dsa.comparisons:
        row = _write_comparison(ctx, sheet, row, comparison) + 2
    if dsa.left_out:
        row = heading(sheet, row, "Uncertain parameters without a bar")
        for identifier, reason in dsa.left_out:
            sheet.text(row, 0, _parameter_label(ctx, identifier))
            sheet.text(row, 1, reason)
            row += 1
    sheet.widths((44, 14, 12, 12, 17, 17, 15, 17, 17, 19, 19))
    sheet.freeze(4, 1)
    sheet.print_setup(area=(0, 0, row, 10))


def _parameter_label(ctx: Context, identifier: str) -> str:
    parameter = ctx.results.spec.parameters.get(identifier)
    return parameter.label if parameter is not None and parameter.label else identifier


def _moving(comparison: DsaComparison, index: int) -> tuple[DsaBar, ...]:
    """Bars of the tornado: the largest of those that move the result."""
    bars = comparison.by_swing(index)
    return tuple(bar for bar in bars if bar.swing[index] > 0)[:TORNADO_BARS]


def _shown(value: float) -> str:
    """Format of a parameter's value: as it is when short, else rounded."""
    if abs(value) >= 1000:
        return "count"
    return "" if float(f"{value:.4g}") == value else "number"


def _ratio(point: DsaPoint) -> float | str:
    return ratio_value(point.delta_cost, point.delta_qaly)


def _write_comparison(ctx: Context, sheet: Sheet, row: int, comparison: DsaComparison) -> int:
    dsa, money = ctx.results.dsa, ctx.currency
    assert dsa is not None
    index = dsa.thresholds.index(dsa.threshold)
    base = comparison.base
    at = ctx.per_qaly(dsa.threshold)
    row = heading(
        sheet,
        row,
        f"{ctx.label(comparison.id)} against {ctx.label(comparison.versus)}",
        f"INMB at {at}. Low and high are each parameter's own interval; changes are against the "
        "base case; sorted by swing.",
    )
    chart_row = row
    bars = comparison.by_swing(index)
    row += (180 + 22 * len(_moving(comparison, index))) // 20 + 2
    sheet.text(row, 4, f"Base INMB, {money}", Style(bold=True, align="right"))
    sheet.number(row, 5, base.inmb[index], _MONEY)
    base_cell = cell_name(row, 5, absolute=True)
    first = table_head(
        sheet,
        row + 1,
        (
            "Parameter",
            "Unit",
            "Low",
            "High",
            f"INMB at low, {money}",
            f"INMB at high, {money}",
            f"Swing, {money}",
            f"Change at low, {money}",
            f"Change at high, {money}",
            f"ICER at low, {money} per QALY",
            f"ICER at high, {money} per QALY",
        ),
        44,
    )
    row = first
    for bar in bars:
        sheet.text(row, 0, bar.label or bar.parameter)
        sheet.text(row, 1, bar.unit, Style(align="right"))
        for column, point in ((2, bar.low), (3, bar.high)):
            assert point.value is not None
            unit = _shown(point.value)
            sheet.number(row, column, point.value, Style("value", unit=unit, align="right"))
        for column, point in ((4, bar.low), (5, bar.high)):
            sheet.number(row, column, point.inmb[index], _MONEY)
        cells = (cell_name(row, 4), cell_name(row, 5), base_cell)
        sheet.formula(
            row,
            6,
            f"=MAX({','.join(cells)})-MIN({','.join(cells)})",
            bar.swing[index],
            _LIVE_MONEY,
        )
        for column, point, source in ((7, bar.low, cells[0]), (8, bar.high, cells[1])):
            change = point.inmb[index] - base.inmb[index]
            sheet.formula(row, column, f"={source}-{base_cell}", change, _LIVE_MONEY)
        sheet.cell(row, 9, _ratio(bar.low), _RATIO)
        sheet.cell(row, 10, _ratio(bar.high), _RATIO)
        row += 1
    moving = _moving(comparison, index)
    if moving:
        changes = [p.inmb[index] - base.inmb[index] for bar in moving for p in (bar.low, bar.high)]
        what = f"INMB at {at}"
        _place_tornado(
            ctx, sheet, chart_row, first, comparison, what, base.inmb[index], changes, (7, 8)
        )
    return _write_icers(ctx, sheet, row + 2, comparison)


def _write_icers(ctx: Context, sheet: Sheet, row: int, comparison: DsaComparison) -> int:
    """Tornado of the ICER, of the parameters whose ICERs all have a meaning."""
    base = comparison.base.icer
    bars = tuple(bar for bar in comparison.by_icer() if bar.icer_swing)[:TORNADO_BARS]
    if base is None or not bars:
        sheet.text(row, 0, "The ICER has no meaning at the base case or at a bound of every bar.")
        return row + 1
    money = ctx.currency
    row = heading(
        sheet,
        row,
        f"ICER: {ctx.label(comparison.id)} against {ctx.label(comparison.versus)}",
        f"The {len(bars)} widest; a parameter with a bound at which the ICER has no meaning is "
        "left out.",
    )
    chart_row = row
    row += (180 + 22 * len(bars)) // 20 + 2
    sheet.text(row, 1, f"Base ICER, {money} per QALY", Style(bold=True, align="right"))
    sheet.number(row, 2, base, _MONEY)
    base_cell = cell_name(row, 2, absolute=True)
    headings = ("Parameter", "ICER at low", "ICER at high", "Change at low", "Change at high")
    first = table_head(sheet, row + 1, headings, 44)
    changes = []
    for row, bar in enumerate(bars, start=first):
        sheet.text(row, 0, bar.label or bar.parameter)
        for column, point in ((1, bar.low), (2, bar.high)):
            assert point.icer is not None
            sheet.number(row, column, point.icer, _MONEY)
            changes.append(point.icer - base)
            source = cell_name(row, column)
            sheet.formula(row, column + 2, f"={source}-{base_cell}", changes[-1], _LIVE_MONEY)
    _place_tornado(ctx, sheet, chart_row, first, comparison, "ICER", base, changes, (3, 4))
    return row + 1


def _place_tornado(
    ctx: Context,
    sheet: Sheet,
    row: int,
    first: int,
    comparison: DsaComparison,
    what: str,
    base: float,
    changes: Sequence[float],
    columns: tuple[int, int],
) -> None:
    """Bars of changes from ``base``; ``changes`` holds low and high of each, in turn."""
    count = len(changes) // 2
    low, high, step = nice_limits(min(changes), max(changes))
    form, words = money_scale(max(abs(low), abs(high)), ctx.currency)
    names = Cells(sheet, 0, first, first + count - 1)
    chart = bar_chart(
        ctx.book,
        f"Tornado: {ctx.label(comparison.id)} against {ctx.label(comparison.versus)}, "
        f"the {count} parameters that matter most to the {what.split(' ')[0]}",
        [
            Series(
                name=name,
                x=names,
                y=Cells(sheet, column, first, first + count - 1),
                colour=colour,
            )
            for name, column, colour in (
                ("Parameter at its low value", columns[0], LOW_COLOUR),
                ("Parameter at its high value", columns[1], HIGH_COLOUR),
            )
        ],
        Axis(
            title=f"Change in {what}, {words} (0 = base {base:,.0f})",
            low=low,
            high=high,
            step=step,
            number_format=form,
        ),
        Axis(title="Parameter"),
        overlap=True,
    )
    sheet.place(
        row,
        0,
        chart,
        width=1000,
        height=180 + 22 * count,
        alt=f"Tornado of the change in {what} of {ctx.label(comparison.id)} when each parameter "
        "takes its low or high value.",
    )
