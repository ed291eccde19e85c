"""``PSA summary``, ``PSA draws``, ``PSA results`` and ``Convergence``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heor.analyses.psa_results import Convergence, Estimate, PsaResult, PsaSummary
from heor.report.charts import Axis, Cells, Series, money_scale, nice_step, xy_chart
from heor.report.live import Term
from heor.report.sheets.base_case import DASH, ratio_formula, ratio_value
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.xlsx import (
    AFTER,
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

#: Draws whose results are stored at most; a CSV file holds them all.
RESULT_DRAWS = 100_000

#: ``PSA draws``: its title, the row of its count and the row of its first draw.
DRAWS_TITLE, COUNT_ROW, DRAWS_ROW = "PSA draws", 6, 9

#: Columns of a page before print-outs are cut.
PRINTED_COLUMNS, PRINTED_ROWS = 14, 60

_HEAD_RIGHT = Style("header", align="right")
_OUTCOMES = (("cost", "Cost", "money"), ("qaly", "QALYs", "qaly"), ("ly", "Life years", "qaly"))
_OUTCOMES_ALL = (*_OUTCOMES, ("evly", "evLYs", "qaly"))


def sample(ctx: Context) -> PsaResult:
    """Draws and outcomes of the probabilistic analysis, which must have been run."""
    assert ctx.results.psa is not None
    return ctx.results.psa


def summary(ctx: Context) -> PsaSummary:
    """Give its summary, which must have been made."""
    assert ctx.results.psa_summary is not None
    return ctx.results.psa_summary


def stored_draws(ctx: Context) -> int:
    """Draws whose results the workbook holds."""
    return min(sample(ctx).n, RESULT_DRAWS)


# --- draws and results ---------------------------------------------------------------------------


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
    cells = range_name(DRAWS_ROW, column, DRAWS_ROW + count - 1, column)
    values = sample(ctx).draws.values[parameter_id][:count]
    return Term(f"{quote_title(DRAWS_TITLE)}!{cells}", values)


def register_draws(ctx: Context) -> None:
    """Make the number of stored draws known as ``stored draws``; nothing without a PSA."""
    if ctx.results.psa is not None:
        cell = cell_name(COUNT_ROW, 1, absolute=True)
        count = float(input_count(ctx))
        ctx.live["stored draws"] = Term(f"{quote_title(DRAWS_TITLE)}!{cell}", count)


def write_draws(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA draws``: the drawn inputs of the first draws, a row per draw."""
    psa, count, drawn = sample(ctx), input_count(ctx), drawn_parameters(ctx)
    row = head(ctx, sheet, "PSA draws: inputs", probabilistic=True)
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


def result_columns(ctx: Context) -> dict[tuple[str, str], int]:
    """Columns of ``PSA results`` by (outcome, strategy); an increment is ``delta cost`` etc."""
    keys = [(name, s) for s in ctx.strategies for name, _, _ in _OUTCOMES_ALL]
    keys += [(f"delta {name}", s) for s in ctx.others for name in ("cost", "qaly", "ly")]
    return {key: place for place, key in enumerate(keys, start=1)}


#: Row of the first draw on ``PSA results``.
RESULTS_ROW = 8


def write_psa_results(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA results``: a row per draw; increments over the reference are formulas."""
    psa, count = sample(ctx), stored_draws(ctx)
    head(ctx, sheet, "PSA results, draw by draw", live=True, probabilistic=True)
    if count < psa.n:
        words = f"The first {count:,} of {psa.n:,} draws; psa.csv holds them all."
        sheet.text(RESULTS_ROW - 3, 0, words, NOTE)
    columns = result_columns(ctx)
    sheet.text(RESULTS_ROW - 1, 0, "Draw", HEADER)
    names = {name: f"{label}" for name, label, _ in _OUTCOMES_ALL}
    for (name, strategy), column in columns.items():
        delta = name.startswith("delta ")
        words = names[name.removeprefix("delta ")]
        if name.endswith("cost"):
            words += f", {ctx.currency}"
        if delta:
            words = f"Δ {words}, {ctx.label(strategy)} − {ctx.label(ctx.reference)}"
        else:
            words = f"{words}, {ctx.label(strategy)}"
        sheet.text(RESULTS_ROW - 1, column, words, _HEAD_RIGHT)
    sheet.height(RESULTS_ROW - 1, 58)
    outcomes = psa.outcomes
    plain = [key for key in columns if not key[0].startswith("delta ")]
    table = np.column_stack(
        [np.arange(1, count + 1), *(outcomes.of(s, name)[:count] for name, s in plain)]
    )
    money, years = Style("value", unit="money"), Style("value", unit="qaly")
    styles = [money if name == "cost" else years for name, _ in plain]
    sheet.block(RESULTS_ROW, 0, table, [Style("value", unit="integer"), *styles])
    for (name, strategy), column in columns.items():
        if not name.startswith("delta "):
            continue
        outcome = name.removeprefix("delta ")
        mine = cell_name(0, columns[outcome, strategy])[:-1]
        theirs = cell_name(0, columns[outcome, ctx.reference])[:-1]
        rows = range(RESULTS_ROW + 1, RESULTS_ROW + count + 1)
        values = outcomes.of(strategy, outcome) - outcomes.of(ctx.reference, outcome)
        sheet.formula_column(
            RESULTS_ROW,
            column,
            (f"={mine}{row}-{theirs}{row}" for row in rows),
            values[:count],
            Style("formula", unit="money" if outcome == "cost" else "qaly"),
        )
    for (name, strategy), column in columns.items():
        last = RESULTS_ROW + count - 1
        ctx.cells[f"draws {name} {strategy}"] = sheet.range(RESULTS_ROW, column, last, column)
    sheet.widths((8, *([13] * len(columns))))
    sheet.freeze(RESULTS_ROW, 1)
    sheet.print_setup(
        repeat=(RESULTS_ROW - 1, RESULTS_ROW - 1),
        area=(0, 0, RESULTS_ROW + min(count, PRINTED_ROWS), len(columns)),
        pages=1,
    )


# --- summary -------------------------------------------------------------------------------------


def write_summary(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA summary``: means with their precision, the comparison of means, probabilities."""
    made = summary(ctx)
    row = head(ctx, sheet, "PSA summary", live=True, probabilistic=True)
    if made.stopping:
        sheet.text(row, 0, made.stopping, NOTE)
        row += 1
    row = _write_means(ctx, sheet, row)
    row = _write_comparison(ctx, sheet, row + 1)
    row = _write_probabilities(ctx, sheet, row + 1)
    row = _write_base_checks(ctx, sheet, row + 1)
    sheet.widths((44, *([17] * (4 + len(ctx.strategies) + 3 * len(ctx.others)))))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1)


def _write_means(ctx: Context, sheet: Sheet, row: int) -> int:
    made, count = summary(ctx), stored_draws(ctx)
    row = heading(
        sheet,
        row,
        "Means over draws",
        "Means, SD and percentiles are formulas over PSA results. MCSE: Monte Carlo standard error "
        "of the mean.",
    )
    heads = ("Outcome", "Mean", "MCSE", "SD", "2.5th percentile", "97.5th percentile")
    row = table_head(sheet, row, heads)
    sheet.text(row, 0, "Percentile", NOTE)
    sheet.number(row, 4, 0.025, Style("value", unit="proportion"))
    sheet.number(row, 5, 0.975, Style("value", unit="proportion"))
    low, high = cell_name(row, 4, absolute=True), cell_name(row, 5, absolute=True)
    row += 1
    items: list[tuple[str, str, str, Estimate]] = []
    for one in made.strategies:
        for name, words, unit in _OUTCOMES_ALL:
            items.append(
                (f"{words}, {one.label or one.id}", f"{name} {one.id}", unit, getattr(one, name))
            )
    for pair in made.increments:
        for name, words, unit in _OUTCOMES:
            label = f"Δ {words}, {ctx.label(pair.id)} − {ctx.label(pair.versus)}"
            estimate: Estimate = getattr(pair, f"delta_{name}")
            items.append((label, f"delta {name} {pair.id}", unit, estimate))
    whole = count == made.n
    for label, key, unit, estimate in items:
        sheet.text(row, 0, label)
        cells = ctx.cells[f"draws {key}"]
        live = Style("formula" if whole else "value", unit=unit)
        formulas: tuple[tuple[int, str, float], ...] = (
            (1, f"=AVERAGE({cells})", estimate.mean),
            (3, f"=STDEV({cells})", estimate.sd),
            (4, f"=PERCENTILE({cells},{low})", estimate.low),
            (5, f"=PERCENTILE({cells},{high})", estimate.high),
        )
        for column, formula, value in formulas:
            if not np.isfinite(value):
                sheet.text(row, column, DASH, Style(align="right"))
            elif whole:
                sheet.formula(row, column, formula, value, live)
            else:
                sheet.number(row, column, value, live)
        fine = {"money": "money", "qaly": "number"}[unit]
        _write_finite(sheet, row, 2, estimate.mcse, Style("value", unit=fine, align="right"))
        ctx.cells[f"mean {key}"] = sheet.ref(row, 1)
        row += 1
    return row


def _write_finite(sheet: Sheet, row: int, column: int, value: float | None, style: Style) -> None:
    """Write a number, or a dash where there is none."""
    missing = value is None or not np.isfinite(value)
    sheet.cell(row, column, DASH if missing else value, style)


def _write_comparison(ctx: Context, sheet: Sheet, row: int) -> int:
    made, money = summary(ctx), ctx.currency
    row = heading(
        sheet,
        row,
        f"Means against {ctx.label(made.reference)}",
        "The ICER is the ratio of the means, never the mean of ratios; it has no interval.",
    )
    row = table_head(
        sheet,
        row,
        (
            "Strategy",
            f"ICER of the means, {money} per QALY",
            "MCSE",
            f"Base-case ICER, {money} per QALY",
            "North-east: costs more, gains",
            "South-east: costs less, gains",
            "South-west: costs less, loses",
            "North-west: costs more, loses",
            "On an axis",
            "Status of the means",
        ),
        44,
        texts=("Status of the means",),
    )
    right = Style("value", unit="money", align="right")
    for pair in made.increments:
        sheet.text(row, 0, ctx.label(pair.id))
        cost, qaly = (ctx.cells[f"mean delta {name} {pair.id}"] for name in ("cost", "qaly"))
        cost, qaly = (cell.rsplit("!", 1)[1] for cell in (cost, qaly))
        means = pair.delta_cost.mean, pair.delta_qaly.mean
        sheet.formula(
            row,
            1,
            ratio_formula(ctx, cost, qaly),
            ratio_value(*means),
            Style("formula", unit="money", align="right", bold=True),
        )
        ctx.cells[f"psa icer {pair.id}"] = sheet.ref(row, 1)
        _write_finite(sheet, row, 2, pair.icer_mcse, right)
        base = next(one for one in ctx.results.base.pairwise if one.id == pair.id)
        value = ratio_value(base.delta_cost, base.delta_qaly)
        style = Style("link", unit="money", align="right")
        sheet.formula(row, 3, f"={ctx.cells[f'icer {pair.id}']}", value, style)
        for column, name in enumerate(("NE", "SE", "SW", "NW", "on axis"), start=4):
            sheet.number(row, column, pair.quadrants[name], Style("value", unit="proportion"))
        sheet.text(row, 9, pair.status, AFTER)
        row += 1
    return row


def _write_probabilities(ctx: Context, sheet: Sheet, row: int) -> int:
    made, money = summary(ctx), ctx.currency
    at = made.at_thresholds
    row = heading(
        sheet,
        row,
        "Cost-effectiveness at the thresholds",
        "Probability of having the highest net benefit of all strategies (ties shared); EVPI per "
        "patient.",
    )
    columns = [f"Probability {ctx.label(s)}" for s in at.strategies]
    columns += [f"INMB {ctx.label(one.id)}, {money}" for one in made.increments]
    columns += [f"MCSE INMB {ctx.label(one.id)}" for one in made.increments]
    columns += [f"MCSE probability {ctx.label(one.id)}" for one in made.increments]
    heads = (f"Threshold, {money} per QALY", *columns, f"EVPI, {money}", "Highest mean NMB")
    row = table_head(sheet, row, heads, 44, texts=heads[-1:])
    share, amount = Style("value", unit="proportion"), Style("value", unit="money")
    right = Style("value", unit="money", align="right")
    for index, threshold in enumerate(made.thresholds):
        sheet.number(row, 0, threshold, Style("value", unit="money", align="left"))
        column = 1
        for place, strategy in enumerate(at.strategies):
            sheet.number(row, column, float(at.ceac[index, place]), share)
            ctx.cells[f"probability {index} {strategy}"] = sheet.ref(row, column)
            column += 1
        for one in made.increments:
            sheet.number(row, column, one.inmb[index].mean, amount)
            column += 1
        for one in made.increments:
            _write_finite(sheet, row, column, one.inmb[index].mcse, right)
            column += 1
        for one in made.increments:
            error = one.probability[index].mcse
            _write_finite(sheet, row, column, error, Style("value", unit="share", align="right"))
            column += 1
        best = at.strategies[int(at.best[index])]
        sheet.number(row, column, float(at.evpi[index]), amount)
        sheet.text(row, column + 1, ctx.label(best), AFTER)
        row += 1
    return row


def _write_base_checks(ctx: Context, sheet: Sheet, row: int) -> int:
    checks = summary(ctx).base_checks
    if not checks:
        return row
    row = heading(
        sheet,
        row,
        "PSA means against the base case",
        "A difference beyond chance shows a model that is not linear in its inputs.",
    )
    heads = ("Outcome", "Base case", "PSA mean", "Difference", "Relative", "In MCSEs", "In words")
    row = table_head(sheet, row, heads, texts=("In words",))
    for one in checks:
        money = one.outcome.endswith("cost")
        style = Style("value", unit="money" if money else "qaly")
        sheet.text(row, 0, f"{_outcome_words(one.outcome)}, {ctx.label(one.strategy)}")
        sheet.number(row, 1, one.base, style)
        sheet.number(row, 2, one.psa, style)
        difference = f"={cell_name(row, 2)}-{cell_name(row, 1)}"
        live = Style("formula", unit=style.unit)
        sheet.formula(row, 3, difference, one.difference, live)
        _write_finite(sheet, row, 4, one.relative, Style("value", unit="proportion", align="right"))
        _write_finite(sheet, row, 5, one.in_mcse, Style("value", unit="ratio", align="right"))
        sheet.text(row, 6, one.words, AFTER)
        row += 1
    return row


def _outcome_words(outcome: str) -> str:
    """Words for an outcome or its increment, e.g. ``delta_cost``."""
    plain = outcome.removeprefix("delta_")
    words = next((label for name, label, _ in _OUTCOMES_ALL if name == plain), plain)
    return f"Δ {words}" if plain != outcome else words


# --- convergence ---------------------------------------------------------------------------------


def write_convergence(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Convergence``: running means of each comparison, and how many draws it needs."""
    made = summary(ctx)
    row = head(ctx, sheet, "Convergence of the PSA", probabilistic=True)
    for advice in made.recommended_draws:
        sheet.text(row, 0, f"{ctx.label(advice.id)}: {advice.words}")
        row += 1
    row += 1
    for one in made.convergence:
        row = _write_running(ctx, sheet, row, one) + 2
    sheet.widths((12, *([15] * 7)))
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, row, 18), pages=len(made.convergence))


def _write_running(ctx: Context, sheet: Sheet, row: int, one: Convergence) -> int:
    money, at = ctx.currency, ctx.per_qaly(one.threshold)
    row = heading(
        sheet,
        row,
        f"{ctx.label(one.id)} against {ctx.label(one.versus)}",
        f"INMB and probability at {at}; the band is ± 1.96 standard errors.",
    )
    heads = (
        "Draws",
        f"Extra cost, {money}",
        "QALYs gained",
        f"INMB, {money}",
        f"INMB, lower, {money}",
        f"INMB, upper, {money}",
        f"ICER, {money} per QALY",
        "Probability INMB > 0",
    )
    first = table_head(sheet, row, heads, 30)
    last = first + len(one.draws) - 1
    half = np.nan_to_num(one.inmb_half_width, nan=0.0)
    known = np.isfinite(one.inmb_half_width)
    units = ("count", "money", "qaly", "money", "money", "money", "money", "share")
    arrays: tuple[FloatArray, ...] = (
        one.draws.astype(np.float64),
        one.delta_cost,
        one.delta_qaly,
        one.inmb,
        np.where(known, one.inmb - half, np.nan),
        np.where(known, one.inmb + half, np.nan),
        one.icer,
        one.probability,
    )
    for column, (values, unit) in enumerate(zip(arrays, units, strict=True)):
        style = Style("value", unit=unit)
        for offset, value in enumerate(values.tolist()):
            sheet.cell(first + offset, column, value if np.isfinite(value) else None, style)
    _place_running(ctx, sheet, first - 1, last, one, arrays)
    return max(last + 1, first + 46)


def _place_running(
    ctx: Context,
    sheet: Sheet,
    row: int,
    last: int,
    one: Convergence,
    arrays: tuple[FloatArray, ...],
) -> None:
    first = row + 1
    top = float(one.draws[-1])
    x = Axis(title="Draws", low=0, high=top, step=nice_step(top, 5), number_format="#,##0")
    draws = Cells(sheet, 0, first, last)
    colour = ctx.colour(one.id)
    settled = slice(len(one.draws) // 10, None)
    finite: Callable[[FloatArray], FloatArray] = lambda v: v[np.isfinite(v)]  # noqa: E731
    band = np.concatenate([finite(a[settled]) for a in arrays[3:6]])
    low, high, step = _near(band)
    form, words = money_scale(max(abs(low), abs(high)), ctx.currency)
    lines = (
        ("Lower and upper limit", 4, "dash"),
        ("Upper", 5, "dash"),
        ("Running mean", 3, "solid"),
    )
    chart = xy_chart(
        ctx.book,
        f"Running mean of INMB at {ctx.per_qaly(one.threshold)}, {ctx.label(one.id)}",
        [
            Series(
                name=name,
                x=draws,
                y=Cells(sheet, column, first, last),
                colour=colour,
                dash=dash,
                width=1.0 if dash == "dash" else 2.25,
            )
            for name, column, dash in lines
        ],
        x,
        Axis(title=f"INMB, {words}", low=low, high=high, step=step, number_format=form),
    )
    chart.set_legend({"position": "bottom", "delete_series": [1]})
    alt = "Running mean of incremental net monetary benefit with its 95% band, by draws."
    sheet.place(row, 9, chart, width=620, height=360, alt=alt)
    icers = finite(one.icer[settled])
    if not len(icers):
        return
    low, high, step = _near(icers)
    form, words = money_scale(high, ctx.currency)
    chart = xy_chart(
        ctx.book,
        f"Running ICER (ratio of means), {ctx.label(one.id)}",
        [Series(name="ICER", x=draws, y=Cells(sheet, 6, first, last), colour=colour)],
        x,
        Axis(title=f"ICER, {words} per QALY", low=low, high=high, step=step, number_format=form),
    )
    chart.set_legend({"none": True})
    alt = "Running ratio of mean incremental cost to mean incremental QALYs, by draws."
    sheet.place(row + 20, 9, chart, width=620, height=360, alt=alt)


def _near(values: FloatArray) -> tuple[float, float, float]:
    """Axis limits around values that need not hold zero."""
    low, high = float(values.min()), float(values.max())
    step = nice_step(max(high - low, abs(high) * 0.02, 1.0), 5)
    return float(np.floor(low / step) * step), float(np.ceil(high / step) * step), step
