"""``PSA draws`` and ``PSA results``: inputs and outcomes of every draw, stored as values.

Other sheets summarise them with formulas; they find the stored draws as ranges in the context:
``draws cost`` is the block ``(draw, strategy)``, ``draws cost <strategy>`` one column of it,
``draws delta cost <strategy>`` the increments over the reference.
"""

from __future__ import annotations

import numpy as np

from heor.analyses.psa_results import PsaResult, PsaSummary
from heor.report.live import Column, Grid, Term, call, cells, put, sum_of_products
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.draw_terms import INDEPENDENT, best_share, weighted
from heor.report.sheets.layout import HEAD_ROWS, Context, head
from heor.report.xlsx import (
    BOLD,
    HEADER,
    MAX_ROWS,
    NOTE,
    Sheet,
    Style,
    cell_name,
    quote_title,
    range_name,
)
from heor.spec.parameters import FloatArray

#: ``PSA draws``: its title, the row of its count and the row of its first draw.
DRAWS_TITLE, COUNT_ROW, DRAWS_ROW = "PSA draws", 6, 9

#: ``PSA results``: its title and the row of its first draw.
RESULTS_TITLE, RESULTS_ROW = "PSA results", 9

#: Columns and rows of a page before print-outs are cut.
PRINTED_COLUMNS, PRINTED_ROWS = 14, 60

#: Outcomes in the order of their blocks: name, words, unit.
OUTCOMES = (
    ("cost", "Cost", "money"),
    ("qaly", "QALYs", "qaly"),
    ("ly", "Life years", "qaly"),
    ("evly", "evLYs", "qaly"),
)
#: Outcomes whose increments over the reference stand beside them.
INCREMENTS = OUTCOMES[:3]

_HEAD_RIGHT = Style("header", align="right")
_COUNT = Style("formula", unit="count")


def sample(ctx: Context) -> PsaResult:
    """Draws and outcomes of the probabilistic analysis, which must have been run."""
    assert ctx.results.psa is not None
    return ctx.results.psa


def summary(ctx: Context) -> PsaSummary:
    """Give its summary, which must have been made."""
    assert ctx.results.psa_summary is not None
    return ctx.results.psa_summary


# --- inputs --------------------------------------------------------------------------------------


def drawn_parameters(ctx: Context) -> tuple[str, ...]:
    """Ids of the parameters that have a column on ``PSA draws``, in its order."""
    parameters = ctx.results.spec.parameters.values()
    return tuple(p.id for p in parameters if p.distribution is not None)


def input_count(ctx: Context) -> int:
    """Draws whose inputs the workbook holds."""
    count = sample(ctx).n if ctx.input_draws is None else min(sample(ctx).n, ctx.input_draws)
    return min(count, MAX_ROWS - DRAWS_ROW)


def draws_range(ctx: Context, parameter_id: str) -> Term | None:
    """Stored draws of a parameter, a range of ``PSA draws``; None when it is not drawn.

    The sheet need not stand yet. Row i of the range is draw i, counted from 1.
    """
    if ctx.results.psa is None:
        return None
    drawn = drawn_parameters(ctx)
    if parameter_id not in drawn:
        return None
    column, count = drawn.index(parameter_id) + 1, input_count(ctx)
    area = range_name(DRAWS_ROW, column, DRAWS_ROW + count - 1, column)
    values = sample(ctx).draws.values[parameter_id][:count]
    return Term(f"{quote_title(DRAWS_TITLE)}!{area}", values)


def register_draws(ctx: Context) -> None:
    """Make the number of stored draws known as ``stored draws``; nothing without a PSA."""
    if ctx.results.psa is not None:
        place = cell_name(COUNT_ROW, 1, absolute=True)
        count = float(input_count(ctx))
        ctx.live["stored draws"] = Term(f"{quote_title(DRAWS_TITLE)}!{place}", count)


def write_draws(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA draws``: the drawn inputs of the first draws, a row per draw."""
    psa, count, drawn = sample(ctx), input_count(ctx), drawn_parameters(ctx)
    row = head(ctx, sheet, "PSA draws: inputs", probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    some = f"The first {count:,} of {psa.n:,} draws" if count < psa.n else f"All {count:,} draws"
    sheet.text(
        row,
        0,
        f"{some} of every parameter that has a distribution (methods 7.1). Choosing a draw on "
        "Control puts its row into the model; derived parameters follow from it.",
        NOTE,
    )
    sheet.text(COUNT_ROW, 0, "Draws", BOLD)
    sheet.number(COUNT_ROW, 1, count, Style("value", unit="count"))
    sheet.text(DRAWS_ROW - 1, 0, "Draw", HEADER)
    for column, identifier in enumerate(drawn, start=1):
        sheet.text(DRAWS_ROW - 1, column, identifier, _HEAD_RIGHT)
    sheet.height(DRAWS_ROW - 1, 30)
    numbers = [psa.draws.values[identifier][:count] for identifier in drawn]
    table = np.column_stack([np.arange(1, count + 1), *numbers])
    parameters = ctx.results.spec.parameters
    units = ["money_cents" if abs(parameters[i].value) >= 1000 else "number" for i in drawn]
    styles = [Style("value", unit=unit) for unit in ("integer", *units)]
    sheet.block(DRAWS_ROW, 0, table, styles)
    sheet.widths((8, *([13] * len(drawn))))
    sheet.freeze(DRAWS_ROW, 1)
    sheet.print_setup(
        repeat=(DRAWS_ROW - 1, DRAWS_ROW - 1),
        area=(0, 0, DRAWS_ROW + min(count, PRINTED_ROWS), min(len(drawn), PRINTED_COLUMNS)),
        pages=1,
    )


# --- results -------------------------------------------------------------------------------------


def stored_results(ctx: Context) -> int:
    """Draws whose results the workbook holds: all, unless a sheet has not the rows."""
    return min(sample(ctx).n, MAX_ROWS - RESULTS_ROW)


def write_psa_results(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA results``: a row per draw; increments over the reference are formulas."""
    psa, count = sample(ctx), stored_results(ctx)
    row = head(ctx, sheet, "PSA results, draw by draw", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    some = f"the first {count:,} of {psa.n:,} draws; psa.csv holds all" if count < psa.n else ""
    sheet.text(
        row,
        0,
        "Discounted totals per patient of every draw, each strategy in all draws alike (methods 7)"
        + (f": {some}." if some else "."),
        NOTE,
    )
    sheet.text(RESULTS_ROW - 1, 0, "Draw", HEADER)
    place = 1
    table: list[FloatArray] = [np.arange(1.0, count + 1)]
    units = ["integer"]
    if psa.sampler != INDEPENDENT:
        ctx.live["draws replicate"] = _stored(
            sheet, place, np.asarray(psa.replicate[:count], dtype=np.float64) + 1
        )
        sheet.text(RESULTS_ROW - 1, place, "Randomi-sation", _HEAD_RIGHT)
        table.append(ctx.live["draws replicate"].value)
        units.append("integer")
        place += 1
    columns: dict[tuple[str, str], Column] = {}
    last = RESULTS_ROW + count - 1
    for name, words, unit in OUTCOMES:
        values: FloatArray = np.column_stack(
            [psa.outcomes.of(s, name)[:count] for s in ctx.strategies]
        )
        end = place + len(ctx.strategies) - 1
        ctx.live[f"draws {name}"] = cells(sheet, RESULTS_ROW, place, last, end, values)
        for offset, strategy in enumerate(ctx.strategies):
            column = Column(sheet, place + offset, RESULTS_ROW, values[:, offset])
            columns[name, strategy] = column
            ctx.live[f"draws {name} {strategy}"] = _stored(sheet, column.place, column.values)
            heading = f"{_with_unit(ctx, name, words)}: {ctx.label(strategy)}"
            sheet.text(RESULTS_ROW - 1, column.place, heading, _HEAD_RIGHT)
        table.append(values)
        units += [unit] * len(ctx.strategies)
        place = end + 1
    sheet.block(RESULTS_ROW, 0, np.column_stack(table), [Style("value", unit=u) for u in units])
    grid = Grid(sheet, count, RESULTS_ROW, place)
    for name, words, unit in INCREMENTS:
        for strategy in ctx.others:
            term = columns[name, strategy].here - columns[name, ctx.reference].here
            heading = (
                f"Δ {_with_unit(ctx, name, words)}: {ctx.label(strategy)} − "
                f"{ctx.label(ctx.reference)}"
            )
            key = f"delta {name} {strategy}"
            column = grid.add(key, heading, term, Style("formula", unit=unit))
            ctx.live[f"draws {key}"] = _stored(sheet, column.place, column.values)
    sheet.height(RESULTS_ROW - 1, 72)
    sheet.text(COUNT_ROW, 0, "Draws", BOLD)
    numbers = cells(sheet, RESULTS_ROW, 0, last, 0, table[0])
    ctx.live["draws n"] = put(sheet, COUNT_ROW, 1, call("COUNT", np.size, numbers), _COUNT)
    wide = grid.place
    place = _write_ones(ctx, sheet, wide + 1)
    if psa.sampler != INDEPENDENT and psa.replicates > 1:
        place = _write_replicates(ctx, sheet, place + 1)
    sheet.widths((8, *([14] * (place - 1))))
    sheet.freeze(RESULTS_ROW, 1)
    sheet.print_setup(
        repeat=(RESULTS_ROW - 1, RESULTS_ROW - 1),
        area=(0, 0, RESULTS_ROW + min(count, PRINTED_ROWS), wide - 1),
        pages=1,
    )


def result_place(ctx: Context, name: str, strategy: str) -> int:
    """Column of an outcome or increment on ``PSA results``, e.g. ``delta cost``."""
    place = 1 if sample(ctx).sampler == INDEPENDENT else 2
    for key, _, _ in OUTCOMES:
        if key == name:
            return place + ctx.strategies.index(strategy)
        place += len(ctx.strategies)
    names = [key for key, _, _ in INCREMENTS]
    increment = names.index(name.removeprefix("delta "))
    return place + increment * len(ctx.others) + ctx.others.index(strategy)


def _with_unit(ctx: Context, name: str, words: str) -> str:
    return f"{words}, {ctx.currency}" if name == "cost" else words


def _stored(sheet: Sheet, place: int, values: FloatArray) -> Term:
    """Give a column of draws as a range of one column, its values ``(draw, 1)``."""
    last = RESULTS_ROW + len(values) - 1
    return cells(sheet, RESULTS_ROW, place, last, place, values.reshape(-1, 1))


def _write_ones(ctx: Context, sheet: Sheet, place: int) -> int:
    """Write a 1 per strategy below each other: matrix products with it add up over strategies."""
    sheet.text(RESULTS_ROW - 1, place, "Strategy", HEADER)
    sheet.text(RESULTS_ROW - 1, place + 1, "Ones, to add up over strategies", _HEAD_RIGHT)
    for offset, strategy in enumerate(ctx.strategies):
        sheet.text(RESULTS_ROW + offset, place, ctx.label(strategy))
        sheet.number(RESULTS_ROW + offset, place + 1, 1.0, Style("value", unit="integer"))
    count = len(ctx.strategies)
    last = RESULTS_ROW + count - 1
    ones = cells(sheet, RESULTS_ROW, place + 1, last, place + 1, np.ones((count, 1)))
    ctx.live["strategy ones"] = ones
    labels = [ctx.label(strategy) for strategy in ctx.strategies]
    ctx.live["strategy labels"] = cells(sheet, RESULTS_ROW, place, last, place, labels)
    return place + 2


def _write_replicates(ctx: Context, sheet: Sheet, place: int) -> int:
    """Write means within each randomisation, whose spread gives the standard errors (7.4)."""
    count = sample(ctx).replicates
    of_draw = ctx.live["draws replicate"]
    numbers = np.arange(1.0, count + 1)
    sheet.text(RESULTS_ROW - 2, place, "Means of each randomisation, for standard errors", BOLD)
    sheet.text(RESULTS_ROW - 1, place, "Randomi-sation", _HEAD_RIGHT)
    sheet.block(RESULTS_ROW, place, numbers.reshape(-1, 1), [Style("value", unit="integer")])
    which = Column(sheet, place, RESULTS_ROW, numbers)
    grid = Grid(sheet, count, RESULTS_ROW, place + 1)
    member = [of_draw.value == number for number in numbers]

    def add(key: str, words: str, term: Term, unit: str) -> None:
        column = grid.add(key, words, term, Style("formula", unit=unit))
        ctx.live[f"replicates {key}"] = _stored(sheet, column.place, column.values)

    items = [(n, w, u, s) for n, w, u in OUTCOMES for s in ctx.strategies]
    items += [(f"delta {n}", f"Δ {w}", u, s) for n, w, u in INCREMENTS for s in ctx.others]
    for name, words, unit, strategy in items:
        draws = ctx.live[f"draws {name} {strategy}"]
        text = f"AVERAGEIF({of_draw.text},{which.here.text},{draws.text})"
        means = np.array([draws.value[one].mean() for one in member])
        add(f"{name} {strategy}", f"{words}: {ctx.label(strategy)}", Term(text, means), unit)
    for index in range(len(ctx.results.base.thresholds)):
        worth = weighted(ctx, ctx.live[f"threshold {index}"])
        for strategy in ctx.strategies:
            share = best_share(ctx, strategy, worth)
            terms = [
                sum_of_products(share * of_draw.equals(Term(which.here.text, number)))
                / call("COUNTIF", _count_equal, of_draw, Term(which.here.text, number))
                for number in numbers
            ]
            term = Term(terms[0].text, np.array([one.value for one in terms]))
            words = f"Share best at threshold {index + 1}: {ctx.label(strategy)}"
            add(f"share {index} {strategy}", words, term, "share")
    return grid.place


def _count_equal(values: FloatArray, wanted: float) -> float:
    return float(np.sum(values == wanted))
