"""``Costs & QALYs``: every total taken apart by category and by state, discounted and not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heor.engine.outcomes import EVENTS
from heor.report.live import Term, cell, cells, put, total
from heor.report.sheets.calc_qalys import life_years, qalys
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.xlsx import LABEL, NOTE, Sheet, Style

#: A part of a strategy's total: (context, strategy's id cell, strategy, part's id cell, discounted)
Part = Callable[[Context, Term, str, Term, bool], Term]


@dataclass(frozen=True, slots=True)
class _Block:
    """One table: the key of its totals in `Context.cells`, its words, its parts and a part."""

    key: str
    title: str
    note: str
    unit: str
    parts: Sequence[str]
    part: Part


def _cost_by_category(ctx: Context, who: Term, strategy: str, part: Term, discounted: bool) -> Term:
    key = "discounted" if discounted else "undiscounted"
    return ctx.sums["costs"].sum(key, strategy=who, category=part)


def _cost_by_state(ctx: Context, who: Term, strategy: str, part: Term, discounted: bool) -> Term:
    key = "discounted" if discounted else "undiscounted"
    return ctx.sums["costs"].sum(key, strategy=who, state=part)


def _life_years(ctx: Context, who: Term, strategy: str, part: Term, discounted: bool) -> Term:
    return life_years(ctx, strategy, str(part.value), discounted=discounted)


def _qalys(ctx: Context, who: Term, strategy: str, part: Term, discounted: bool) -> Term:
    if part.value == EVENTS:
        return -ctx.sums["losses"].sum("qalys", strategy=who)
    return qalys(ctx, strategy, str(part.value), discounted=discounted)


def _blocks(ctx: Context) -> tuple[_Block, ...]:
    spec, currency = ctx.results.spec, ctx.currency
    living = [state.id for state in spec.living_states]
    return (
        _Block(
            "cost",
            f"Costs by category, {currency} per patient",
            "Every cost item and adverse event, by the category it is reported under.",
            "money",
            spec.categories(),
            _cost_by_category,
        ),
        _Block(
            "cost by state",
            f"Costs by health state, {currency} per patient",
            "Costs of starting, of adverse events, of leaving a curve and of death are events.",
            "money",
            (*living, spec.dead_state.id, EVENTS),
            _cost_by_state,
        ),
        _Block(
            "ly",
            "Life years by health state, per patient",
            "",
            "qaly",
            living,
            _life_years,
        ),
        _Block(
            "qaly",
            "QALYs by health state, per patient",
            "Events are one-off losses at the start, such as adverse events.",
            "qaly",
            (*living, EVENTS),
            _qalys,
        ),
    )


def write_costs_qalys(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; register totals, and parts such as ``cost:drug lifileucel``."""
    row = head(ctx, sheet, "Costs, life years and QALYs", live=True)
    wide = len(ctx.strategies) + len(ctx.others)
    for block in _blocks(ctx):
        row = heading(sheet, row, block.title, block.note)
        columns = [ctx.label(s) for s in ctx.strategies]
        columns += [f"{ctx.label(s)} − {ctx.label(ctx.reference)}" for s in ctx.others]
        heads = [f"{c}, discounted" for c in columns] + [f"{c}, undiscounted" for c in columns]
        named = ("Category",) if block.key == "cost" else ("Health state",)
        more = () if block.key == "cost" else ("Id",)
        row = table_head(sheet, row, [*named, *heads, *more], 58, texts=more)
        row = _write_block(ctx, sheet, row, block, wide)
        row += 1
    sheet.widths((34, *([15] * (2 * wide)), 24))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1)


def _write_block(ctx: Context, sheet: Sheet, row: int, block: _Block, wide: int) -> int:
    first, last = row + 1, row + len(block.parts)
    whose = [cell(sheet, row, 1 + p, s) for p, s in enumerate(ctx.strategies)]
    ctx.live.update({f"id {s}": whose[p] for p, s in enumerate(ctx.strategies)})
    _write_ids(ctx, sheet, row, wide)
    values: list[list[float]] = []
    for offset, name in enumerate(block.parts):
        here = first + offset
        if block.key == "cost":
            sheet.text(here, 0, name, LABEL)
            part = cell(sheet, here, 0, name)
        else:
            sheet.text(here, 0, ctx.state_label(name), LABEL)
            sheet.text(here, 1 + 2 * wide, name, Style("note", indent=1))
            part = cell(sheet, here, 1 + 2 * wide, name)
        found = []
        for side in (0, 1):
            start, style = 1 + side * wide, Style("formula", unit=block.unit)
            terms = [
                put(
                    sheet,
                    here,
                    start + p,
                    block.part(ctx, whose[p], strategy, part, side == 0),
                    style,
                )
                for p, strategy in enumerate(ctx.strategies)
            ]
            _write_increments(ctx, sheet, here, start, terms, style)
            key = f"{block.key}{' undiscounted' if side else ''}:{name}"
            for strategy, term in zip(ctx.strategies, terms, strict=True):
                ctx.live[f"{key} {strategy}"] = term
            found += [float(term.value) for term in terms]
        values.append(found)
    _write_totals(ctx, sheet, last + 1, block, wide, first, values)
    return last + 2


def _write_ids(ctx: Context, sheet: Sheet, row: int, wide: int) -> None:
    """Write the ids by which sums pick their rows, between headings and numbers."""
    sheet.text(row, 0, "Id", NOTE)
    for side in (0, 1):
        for place, strategy in enumerate(ctx.strategies):
            sheet.text(row, 1 + side * wide + place, strategy, Style("note", align="right"))


def _write_totals(
    ctx: Context,
    sheet: Sheet,
    row: int,
    block: _Block,
    wide: int,
    first: int,
    values: Sequence[Sequence[float]],
) -> None:
    sheet.text(row, 0, "Total", Style(bold=True, total=True))
    style = Style("formula", unit=block.unit, total=True)
    count = len(ctx.strategies)
    for side in (0, 1):
        start = 1 + side * wide
        terms = []
        for place, strategy in enumerate(ctx.strategies):
            column = start + place
            parts = [line[side * count + place] for line in values]
            term = total(cells(sheet, first, column, row - 1, column, parts))
            found = put(sheet, row, column, term, style)
            suffix = " undiscounted" if side else ""
            ctx.live[f"{block.key}{suffix} {strategy}"] = found
            ctx.cells[f"{block.key}{suffix} {strategy}"] = found.text
            terms.append(found)
        _write_increments(ctx, sheet, row, start, terms, style)


def _write_increments(
    ctx: Context, sheet: Sheet, row: int, start: int, terms: Sequence[Term], style: Style
) -> None:
    """Write strategy minus reference for every other strategy, after the strategies' columns."""
    base = terms[ctx.strategies.index(ctx.reference)]
    for place, strategy in enumerate(ctx.others):
        mine = terms[ctx.strategies.index(strategy)]
        put(sheet, row, start + len(terms) + place, mine - base, style)
