"""``Results``: totals, the fully incremental table, pairwise comparisons, net benefit, accrual."""

from __future__ import annotations

from heor.analyses import cea
from heor.analyses.results import PairwiseRow
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.xlsx import AFTER, LABEL, Sheet, Style, cell_name

#: Words that stand where a ratio has no meaning (methods 6.2).
ON_AXIS, SAVES, DASH = "no ratio: see status", "saves: see status", "–"

_MONEY, _QALY = Style("formula", unit="money"), Style("formula", unit="qaly")
_LINK_MONEY, _LINK_QALY = Style("link", unit="money"), Style("link", unit="qaly")
_RIGHT = Style(align="right")


def ratio_value(delta_cost: float, delta_effect: float) -> float | str:
    """Give what `ratio_formula` shows: a ratio in the north-east quadrant, else words."""
    where = cea.quadrant(delta_cost, delta_effect)
    if where == "NE":
        return delta_cost / delta_effect
    return {"SE": "dominant", "NW": "dominated", "SW": SAVES}.get(where, ON_AXIS)


def ratio_formula(ctx: Context, cost: str, effect: str) -> str:
    """Cost over effect, guarded by quadrant."""
    small = (
        f"OR(ABS({effect})<{ctx.cells['tolerance qaly']},ABS({cost})<{ctx.cells['tolerance cost']})"
    )
    return (
        f'=IF({small},"{ON_AXIS}",IF({effect}>0,IF({cost}>0,{cost}/{effect},"dominant"),'
        f'IF({cost}>0,"dominated","{SAVES}")))'
    )


def write_results(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet."""
    row = head(ctx, sheet, "Results of the base case", live=True)
    row = _write_totals(ctx, sheet, row)
    row = _write_incremental(ctx, sheet, row + 1)
    row = _write_pairwise(ctx, sheet, row + 1)
    row = _write_net_benefit(ctx, sheet, row + 1)
    if ctx.results.accrual:
        _write_accrual(ctx, sheet, row + 1)
    sheet.widths((34, *([17] * 10), 36))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1)


def _write_totals(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(sheet, row, "Totals per patient", "Sums of the parts on Costs & QALYs.")
    money = ctx.currency
    row = table_head(
        sheet,
        row,
        (
            "Strategy",
            f"Cost, {money}",
            "Life years",
            "QALYs",
            "Equal-value life years",
            f"Cost undiscounted, {money}",
            "Life years undiscounted",
            "QALYs undiscounted",
        ),
        44,
    )
    for strategy in ctx.strategies:
        totals = ctx.results.base.totals(strategy)
        sheet.text(row, 0, ctx.label(strategy))
        for column, (key, value, style) in enumerate(
            (
                ("cost", totals.cost, _LINK_MONEY),
                ("ly", totals.ly, _LINK_QALY),
                ("qaly", totals.qaly, _LINK_QALY),
                ("evly", totals.evly, Style("value", unit="qaly")),
                ("cost undiscounted", totals.cost_undiscounted, _LINK_MONEY),
                ("ly undiscounted", totals.ly_undiscounted, _LINK_QALY),
                ("qaly undiscounted", totals.qaly_undiscounted, _LINK_QALY),
            ),
            start=1,
        ):
            source = ctx.cells.get(f"{key} {strategy}")
            if source is None:
                sheet.number(row, column, value, style)
            else:
                sheet.formula(row, column, f"={source}", value, style)
            ctx.cells[f"total {key} {strategy}"] = cell_name(row, column, absolute=True)
        row += 1
    return row


def _write_incremental(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "Fully incremental analysis",
        "Frontier in order of QALYs, each against the one before it; dominated strategies below.",
    )
    money = ctx.currency
    row = table_head(
        sheet,
        row,
        (
            "Strategy",
            f"Cost, {money}",
            "QALYs",
            "Against",
            f"Extra cost, {money}",
            "Extra QALYs",
            f"ICER, {money} per QALY",
            "Status",
        ),
        texts=("Status",),
    )
    for one in ctx.results.base.incremental:
        cost, qaly = ctx.cells[f"total cost {one.id}"], ctx.cells[f"total qaly {one.id}"]
        sheet.text(row, 0, ctx.label(one.id))
        sheet.formula(row, 1, f"={cost}", one.cost, _MONEY)
        sheet.formula(row, 2, f"={qaly}", one.qaly, _QALY)
        if one.versus is None or one.delta_cost is None or one.delta_qaly is None:
            for column in range(3, 7):
                sheet.text(row, column, DASH, _RIGHT)
        else:
            before_cost = ctx.cells[f"total cost {one.versus}"]
            before_qaly = ctx.cells[f"total qaly {one.versus}"]
            sheet.text(row, 3, ctx.label(one.versus), _RIGHT)
            sheet.formula(row, 4, f"={cost}-{before_cost}", one.delta_cost, _MONEY)
            sheet.formula(row, 5, f"={qaly}-{before_qaly}", one.delta_qaly, _QALY)
            _write_ratio(ctx, sheet, row, 6, (row, 4), (row, 5), one.delta_cost, one.delta_qaly)
        sheet.text(row, 7, _incremental_words(ctx, one.status, one.dominated_by, one.note), AFTER)
        row += 1
    return row


def _incremental_words(ctx: Context, status: str, by: tuple[str, ...], note: str) -> str:
    text = status
    if by:
        text += " by " + " and ".join(ctx.label(s) for s in by)
    return f"{text}; {note}" if note else text


def _write_ratio(
    ctx: Context,
    sheet: Sheet,
    row: int,
    column: int,
    cost: tuple[int, int],
    effect: tuple[int, int],
    delta_cost: float,
    delta_effect: float,
) -> None:
    formula = ratio_formula(ctx, cell_name(*cost), cell_name(*effect))
    style = Style("formula", unit="money", align="right", bold=True)
    sheet.formula(row, column, formula, ratio_value(delta_cost, delta_effect), style)


def _write_pairwise(ctx: Context, sheet: Sheet, row: int) -> int:
    money = ctx.currency
    row = heading(
        sheet,
        row,
        f"Each strategy against {ctx.label(ctx.reference)}",
        "A ratio stands only where costs and effects both rise; elsewhere the status says it in "
        "words. ICERs carry no severity weight.",
    )
    row = table_head(
        sheet,
        row,
        (
            "Strategy",
            f"Extra cost, {money}",
            "Life years gained",
            "QALYs gained",
            "Equal-value life years gained",
            f"ICER, {money} per QALY",
            f"{money} per life year",
            f"{money} per evLY gained",
            f"Saved per QALY forgone, {money}",
            f"Extra cost undiscounted, {money}",
            "QALYs gained undiscounted",
            "Status",
        ),
        44,
        texts=("Status",),
    )
    for one in ctx.results.base.pairwise:
        _write_pair(ctx, sheet, row, one)
        row += 1
    return row


def _write_pair(ctx: Context, sheet: Sheet, row: int, one: PairwiseRow) -> None:
    sheet.text(row, 0, ctx.label(one.id))
    increments = (
        ("cost", one.delta_cost, _MONEY),
        ("ly", one.delta_ly, _QALY),
        ("qaly", one.delta_qaly, _QALY),
        ("evly", one.evlyg, _QALY),
    )
    for column, (key, value, style) in enumerate(increments, start=1):
        _write_difference(ctx, sheet, row, column, key, one, value, style)
    for column, effect, value in (
        (5, 3, one.delta_qaly),
        (6, 2, one.delta_ly),
        (7, 4, one.evlyg),
    ):
        if value is not None:
            _write_ratio(ctx, sheet, row, column, (row, 1), (row, effect), one.delta_cost, value)
    cost, qaly = cell_name(row, 1), cell_name(row, 3)
    south = f"{cost}<=-{ctx.cells['tolerance cost']}"
    west = f"{qaly}<=-{ctx.cells['tolerance qaly']}"
    saving = one.saving_per_qaly_forgone
    sheet.formula(
        row,
        8,
        f'=IF(AND({south},{west}),{cost}/{qaly},"{DASH}")',
        DASH if saving is None else saving,
        Style("formula", unit="money", align="right"),
    )
    undiscounted = (
        ("cost undiscounted", one.delta_cost_undiscounted, _MONEY),
        ("qaly undiscounted", one.delta_qaly_undiscounted, _QALY),
    )
    for column, (key, value, style) in enumerate(undiscounted, start=9):
        _write_difference(ctx, sheet, row, column, key, one, value, style)
    sheet.text(row, 11, one.status, Style(bold=True, indent=1))
    for key, column in (("delta cost", 1), ("delta ly", 2), ("delta qaly", 3), ("icer", 5)):
        ctx.cells[f"{key} {one.id}"] = sheet.ref(row, column)
    ctx.cells[f"evlyg {one.id}"] = sheet.ref(row, 4)


def _write_difference(
    ctx: Context,
    sheet: Sheet,
    row: int,
    column: int,
    key: str,
    one: PairwiseRow,
    value: float | None,
    style: Style,
) -> None:
    if value is None:
        sheet.text(row, column, DASH, _RIGHT)
        return
    mine, theirs = ctx.cells[f"total {key} {one.id}"], ctx.cells[f"total {key} {one.versus}"]
    sheet.formula(row, column, f"={mine}-{theirs}", value, style)


def _write_net_benefit(ctx: Context, sheet: Sheet, row: int) -> int:
    """Net benefit per threshold; the severity weight stands in its own cell."""
    base, money = ctx.results.base, ctx.currency
    row = heading(
        sheet,
        row,
        "Net benefit",
        "NMB = threshold × weight × QALYs − cost; INMB and INHB are increments over "
        f"{ctx.label(ctx.reference)}.",
    )
    sheet.text(row, 0, "Severity weight on QALYs", LABEL)
    sheet.number(row, 1, base.severity_weight, Style("value", unit="ratio"))
    weight = cell_name(row, 1, absolute=True)
    columns = [f"NMB {ctx.label(s)}, {money}" for s in ctx.strategies]
    columns += [f"INMB {ctx.label(s)}, {money}" for s in ctx.others]
    columns += [f"INHB {ctx.label(s)}, QALYs" for s in ctx.others]
    heads = (f"Threshold, {money} per QALY", *columns, "Best")
    row = table_head(sheet, row + 1, heads, 44, texts=("Best",))
    for index, threshold in enumerate(base.thresholds):
        sheet.number(row, 0, threshold, Style("value", unit="money", align="left"))
        k, column = cell_name(row, 0), 1
        for strategy in ctx.strategies:
            cost, qaly = ctx.cells[f"total cost {strategy}"], ctx.cells[f"total qaly {strategy}"]
            value = base.totals(strategy).nmb[index]
            sheet.formula(row, column, f"={k}*{weight}*{qaly}-{cost}", value, _MONEY)
            column += 1
        for one in base.pairwise:
            cost, qaly = (
                _local(ctx.cells[f"{key} {one.id}"]) for key in ("delta cost", "delta qaly")
            )
            formula = f"={k}*{weight}*{qaly}-{cost}"
            sheet.formula(row, column, formula, one.inmb[index], _MONEY)
            ctx.cells[f"inmb {index} {one.id}"] = sheet.ref(row, column)
            column += 1
        for one in base.pairwise:
            health = one.inhb[index]
            cost, qaly = (
                _local(ctx.cells[f"{key} {one.id}"]) for key in ("delta cost", "delta qaly")
            )
            if health is None:
                sheet.text(row, column, DASH, _RIGHT)
            else:
                sheet.formula(row, column, f"={weight}*{qaly}-{cost}/{k}", health, _QALY)
            column += 1
        sheet.text(row, column, ctx.label(base.best[index]), AFTER)
        row += 1
    return row


def _local(reference: str) -> str:
    """Reference to a cell of the same sheet, without the sheet."""
    return reference.rsplit("!", 1)[1]


def _write_accrual(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "When the gain accrues",
        "Discounted gain over the reference reached by each year, and its share of the whole.",
    )
    columns = ("Strategy", "By year", "QALYs gained", "Share", "Life years gained", "Share")
    row = table_head(sheet, row, columns)
    for one in ctx.results.accrual:
        sheet.text(row, 0, ctx.label(one.id))
        sheet.number(row, 1, one.year, Style("value", unit="count"))
        sheet.number(row, 2, one.delta_qaly, Style("value", unit="qaly"))
        sheet.number(row, 4, one.delta_ly, Style("value", unit="qaly"))
        for column, share in ((3, one.qaly_share), (5, one.ly_share)):
            sheet.cell(
                row,
                column,
                DASH if share is None else share,
                Style("value", unit="proportion", align="right"),
            )
        if not one.within_horizon:
            sheet.text(row, 6, "past the horizon: the whole gain", Style("note", indent=1))
        row += 1
    return row
