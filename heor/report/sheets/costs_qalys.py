"""``Costs & QALYs``: every total taken apart by category and by state, discounted and not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from heor.analyses.results import StrategyTotals
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.xlsx import LABEL, Sheet, Style, cell_name

Parts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Block:
    """One table: the key of its totals in `Context.cells`, its words and its numbers."""

    key: str
    title: str
    note: str
    unit: str
    by_state: bool
    discounted: Callable[[StrategyTotals], Parts]
    undiscounted: Callable[[StrategyTotals], Parts]


def _blocks(currency: str) -> tuple[_Block, ...]:
    return (
        _Block(
            "cost",
            f"Costs by category, {currency} per patient",
            "Every cost item and adverse event, by the category it is reported under.",
            "money",
            False,
            lambda t: t.cost_by_category,
            lambda t: t.cost_by_category_undiscounted,
        ),
        _Block(
            "cost by state",
            f"Costs by health state, {currency} per patient",
            "Costs of starting, of adverse events, of leaving a curve and of death are events.",
            "money",
            True,
            lambda t: t.cost_by_state,
            lambda t: t.cost_by_state_undiscounted,
        ),
        _Block(
            "ly",
            "Life years by health state, per patient",
            "",
            "qaly",
            True,
            lambda t: t.ly_by_state,
            lambda t: t.ly_by_state_undiscounted,
        ),
        _Block(
            "qaly",
            "QALYs by health state, per patient",
            "Events are one-off losses at the start, such as adverse events.",
            "qaly",
            True,
            lambda t: t.qaly_by_state,
            lambda t: t.qaly_by_state_undiscounted,
        ),
    )


def write_costs_qalys(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; totals are SUM formulas and their cells feed ``Results``."""
    row = head(ctx, sheet, "Costs, life years and QALYs of the base case", live=True)
    wide = len(ctx.strategies) + len(ctx.others)
    for block in _blocks(ctx.currency):
        row = heading(sheet, row, block.title, block.note)
        columns = [ctx.label(s) for s in ctx.strategies]
        columns += [f"{ctx.label(s)} − {ctx.label(ctx.reference)}" for s in ctx.others]
        heads = [f"{c}, discounted" for c in columns] + [f"{c}, undiscounted" for c in columns]
        row = table_head(sheet, row, ["Health state" if block.by_state else "Category", *heads], 44)
        row = _write_block(ctx, sheet, row, block, wide)
        row += 1
    sheet.widths((34, *([15] * (2 * wide))))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1)


def _write_block(ctx: Context, sheet: Sheet, row: int, block: _Block, wide: int) -> int:
    totals = [ctx.results.base.totals(s) for s in ctx.strategies]
    parts = list(dict.fromkeys(p for t in totals for p in block.discounted(t)))
    first, last = row, row + len(parts) - 1
    for name in parts:
        sheet.text(row, 0, ctx.state_label(name) if block.by_state else name, LABEL)
        for side, pick in enumerate((block.discounted, block.undiscounted)):
            start = 1 + side * wide
            values = [pick(t).get(name, 0.0) for t in totals]
            for offset, value in enumerate(values):
                sheet.number(row, start + offset, value, Style("value", unit=block.unit))
            _write_increments(ctx, sheet, row, start, values, Style("formula", unit=block.unit))
        row += 1
    sheet.text(row, 0, "Total", Style(bold=True, total=True))
    style = Style("formula", unit=block.unit, total=True)
    for side, pick in enumerate((block.discounted, block.undiscounted)):
        start = 1 + side * wide
        values = [sum(pick(t).values()) for t in totals]
        for offset, (strategy, value) in enumerate(zip(ctx.strategies, values, strict=True)):
            column = start + offset
            cells = f"{cell_name(first, column)}:{cell_name(last, column)}"
            sheet.formula(row, column, f"=SUM({cells})", value, style)
            suffix = " undiscounted" if side else ""
            ctx.cells[f"{block.key}{suffix} {strategy}"] = sheet.ref(row, column)
        _write_increments(ctx, sheet, row, start, values, style)
    return row + 1


def _write_increments(
    ctx: Context, sheet: Sheet, row: int, start: int, values: list[float], style: Style
) -> None:
    """Write strategy minus reference for every other strategy, after the strategies' columns."""
    base = ctx.strategies.index(ctx.reference)
    for place, strategy in enumerate(ctx.others):
        mine = ctx.strategies.index(strategy)
        formula = f"={cell_name(row, start + mine)}-{cell_name(row, start + base)}"
        column = start + len(ctx.strategies) + place
        sheet.formula(row, column, formula, values[mine] - values[base], style)
