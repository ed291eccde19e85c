"""``Structure``: results of partitioned survival beside those of state-transition models."""

from __future__ import annotations

from heor.analyses.structure_results import StructureResult
from heor.engine.timeline import Timeline
from heor.report.charts import Axis, Cells, Series, xy_chart
from heor.report.live import GRID_ROW, Column, Term, put, sum_of_products, total
from heor.report.live import cells as cell_range
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.structure_forms import WORDS
from heor.report.xlsx import AFTER, LABEL, Sheet, Style
from heor.spec.records import PARTITIONED, STRUCTURES

TITLE = "Structure"

_YEARS = Style("formula", unit="qaly")
_MONEY, _QALY = Style("value", unit="money"), Style("value", unit="qaly")
_PLAIN = Style("value", unit="number", align="right")
_SHARE = Style("value", unit="proportion")
_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_DASHES = ("solid", "dash", "round_dot")
#: Pixels of a chart, and of a row.
_WIDTH, _HEIGHT, _ROW_HEIGHT = 760, 380, 20


def write_structure(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet: life years and QALYs live, costs and ratios as heor computed them."""
    result = ctx.results.structure
    assert result is not None
    row = head(ctx, sheet, "Structure: partitioned survival and state transition", live=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    row = heading(
        sheet,
        row + 1,
        "Life years and QALYs per patient, discounted",
        "Formulas over Calc Trace and Calc Structure: they follow Control. Clock forward and clock "
        "reset are state-transition models of the same PFS and OS (methods 9).",
    )
    row = _write_outcomes(ctx, sheet, row)
    row = _write_stored(ctx, sheet, row + 1, result)
    row = _write_groups(ctx, sheet, row + 1, result)
    for strategy in ctx.strategies:
        row = _place_chart(ctx, sheet, row + 1, strategy)
    sheet.widths((30, 22, *([14] * 11)))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1)


def _curve(ctx: Context, structure: str, strategy: str, endpoint: str) -> Column | None:
    kind = "endpoint" if structure == PARTITIONED else structure
    return ctx.columns.get(f"{kind} {strategy} {endpoint}")


def _years(ctx: Context, column: Column | None) -> Term:
    if column is None:
        return Term("0", 0.0)
    return sum_of_products(ctx.columns["weight outcomes"].all, column.all)


def _valued(ctx: Context, strategy: str, state: str, column: Column | None) -> Term:
    """Utility of a state times person-time under a curve."""
    if column is None:
        return Term("0", 0.0)
    left, right = ctx.columns["left outcomes"], ctx.columns["right outcomes"]
    utility = ctx.columns[f"utility {strategy} {state}"]
    return sum_of_products(utility.starts, left.starts * column.starts + right.starts * column.ends)


def _write_outcomes(ctx: Context, sheet: Sheet, row: int) -> int:
    spec = ctx.results.spec
    living = spec.living_states
    names = [ctx.state_label(state.id) for state in living]
    columns = ("Strategy", "Structure", *(f"LYs: {n}" for n in names), "LYs")
    columns += (*(f"QALYs: {n}" for n in names), "One-off losses", "QALYs", "LYs, difference")
    row = table_head(sheet, row, (*columns, "QALYs, difference"), 44, texts=("Structure",))
    for strategy in ctx.strategies:
        first = row
        for structure in STRUCTURES:
            sheet.text(row, 0, ctx.label(strategy), LABEL)
            sheet.text(row, 1, WORDS[structure], AFTER)
            _write_row(ctx, sheet, row, first, strategy, structure)
            row += 1
    return row


def _write_row(
    ctx: Context, sheet: Sheet, row: int, first: int, strategy: str, structure: str
) -> None:
    living = ctx.results.spec.living_states
    years, quality, inner = [], [], None
    for state in living:
        outer = _curve(ctx, structure, strategy, state.endpoint)
        if outer is None:
            years.append(Term("0", 0.0))
            quality.append(Term("0", 0.0))
            continue
        time, value = _years(ctx, outer), _valued(ctx, strategy, state.id, outer)
        if inner is not None:
            time, value = time - _years(ctx, inner), value - _valued(ctx, strategy, state.id, inner)
        years.append(time)
        quality.append(value)
        inner = outer
    place, sums = 2, {}
    losses = ctx.live[f"qaly:events {strategy}"]
    for key, terms in (("ly", years), ("qaly", [*quality, losses])):
        found = [put(sheet, row, place + i, term, _YEARS) for i, term in enumerate(terms)]
        values = [term.value for term in found]
        area = cell_range(sheet, row, place, row, place + len(terms) - 1, values)
        place += len(terms)
        sums[key] = put(sheet, row, place, total(area), Style("formula", unit="qaly", bold=True))
        ctx.live[f"{structure} {key} {strategy}"] = sums[key]
        place += 1
    for offset, key in enumerate(("ly", "qaly")):
        base = ctx.live[f"{PARTITIONED} {key} {strategy}"]
        put(sheet, row, place + offset, sums[key] - base, _YEARS)


def _write_stored(ctx: Context, sheet: Sheet, row: int, result: StructureResult) -> int:
    money = ctx.currency
    row = heading(
        sheet,
        row,
        "Comparison at the run of heor",
        "Costs are not computed again here: these values belong to the inputs of the run. "
        "For PSA means and averages over structures: heor structure --draws N --weights P,F,R.",
    )
    columns = ["Strategy", "Structure", f"Cost, {money}", "Extra LYs", "Extra QALYs"]
    columns += [f"Extra cost, {money}", f"ICER, {money} per QALY"]
    row = table_head(sheet, row, columns, 44, texts=("Structure",))
    for own in result.cases[0].base.strategies:
        for case in result.cases:
            sheet.text(row, 0, ctx.label(own.id), LABEL)
            sheet.text(row, 1, WORDS[case.structure], AFTER)
            sheet.number(row, 2, case.base.totals(own.id).cost, _MONEY)
            pair = next((p for p in case.base.pairwise if p.id == own.id), None)
            if pair is not None:
                assert pair.delta_ly is not None
                sheet.number(row, 3, pair.delta_ly, _QALY)
                sheet.number(row, 4, pair.delta_qaly, _QALY)
                sheet.number(row, 5, pair.delta_cost, _MONEY)
                ratio = pair.status if pair.icer is None else pair.icer
                sheet.cell(row, 6, ratio, Style("value", unit="money", align="right"))
            row += 1
    return row


def _write_groups(ctx: Context, sheet: Sheet, row: int, result: StructureResult) -> int:
    row = heading(
        sheet,
        row,
        "After progression, by response group, at the run of heor",
        "Mean years progressed per progression, undiscounted; the hazard of death that clock reset "
        "takes; how much of the time progressed has an implied hazard below the population's.",
    )
    columns = ["Strategy", "Group", "Progress", "Die before", "Partitioned", "Forward", "Reset"]
    columns += ["Derived, per year", "Implied below population", "Implied below 0", "Takes"]
    row = table_head(sheet, row, columns, 44, texts=("Group", "Takes"))
    for one in result.groups:
        sheet.text(row, 0, ctx.label(one.strategy), LABEL)
        sheet.text(row, 1, one.group, AFTER)
        sheet.number(row, 2, one.progressions, _SHARE)
        sheet.number(row, 3, one.deaths, _SHARE)
        for offset, structure in enumerate(STRUCTURES):
            sheet.number(row, 4 + offset, one.years[structure], _QALY)
        if one.rate is not None:
            sheet.number(row, 7, one.rate, _PLAIN)
        sheet.number(row, 8, one.below, _SHARE)
        sheet.number(row, 9, one.negative, _SHARE)
        sheet.text(row, 10, one.after, AFTER)
        row += 1
    return row


def _place_chart(ctx: Context, sheet: Sheet, row: int, strategy: str) -> int:
    """Overall survival under the three structures; give the row below."""
    time = ctx.columns["t"]
    years = ctx.results.spec.settings.horizon
    last = GRID_ROW + Timeline(ctx.results.spec.settings).cycles
    series = []
    for structure, colour, dash in zip(STRUCTURES, _COLOURS, _DASHES, strict=True):
        column = _curve(ctx, structure, strategy, "os")
        assert column is not None
        series.append(
            Series(
                name=WORDS[structure],
                x=Cells(time.sheet, time.place, GRID_ROW, last),
                y=Cells(column.sheet, column.place, GRID_ROW, last),
                colour=colour,
                dash=dash,
            )
        )
    title = f"Overall survival by structure: {ctx.label(strategy)}"
    x = Axis(title="Years since start", low=0, high=years, step=5.0 if years > 10 else 1.0)
    y = Axis(title="Share of people", low=0, high=1, step=0.2, number_format="0%")
    chart = xy_chart(ctx.book, title, series, x, y)
    alt = f"{title}: three curves over the horizon."
    sheet.place(row, 0, chart, width=_WIDTH, height=_HEIGHT, alt=alt)
    return row + _HEIGHT // _ROW_HEIGHT + 1
