"""``Convergence``: running results over the first draws, as formulas over the stored ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from heor.analyses import cea
from heor.analyses.monte_carlo import Z95
from heor.analyses.psa_results import Convergence
from heor.report.charts import Axis, Cells, Series, money_scale, nice_step, xy_chart
from heor.report.fast_xlsx import in_row
from heor.report.live import Column, Grid, Term, local, put, sum_of_products
from heor.report.lookup import joined, whole_number
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.draw_terms import average, by_row, root, square, weighted
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading
from heor.report.sheets.psa import stored_results, summary
from heor.report.xlsx import Sheet, Style
from heor.spec.parameters import FloatArray

#: Rows that the three charts of a comparison take.
CHART_ROWS = 66

_MONEY, _QALY = Style("formula", unit="money"), Style("formula", unit="qaly")
_SHARE = Style("formula", unit="proportion")


def write_convergence(ctx: Context, sheet: Sheet) -> None:
    """Fill ``Convergence``: running means of each comparison, and how many draws it needs."""
    made = summary(ctx)
    row = head(ctx, sheet, "Convergence of the PSA", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    for advice in made.recommended_draws:
        sheet.text(row, 0, f"{ctx.label(advice.id)}: {advice.words}", Style("value"))
        row += 1
    row += 1
    for one in made.convergence:
        row = _write_running(ctx, sheet, row, one) + 2
    sheet.widths((12, *([15] * 8)))
    sheet.freeze(4, 0)
    sheet.print_setup(area=(0, 0, row, 19), pages=len(made.convergence))


def _first(ctx: Context, key: str, count: Term) -> Callable[[int], Term]:
    """Give the stored draws of a column from the first to the ``count``-th, by row."""
    cells = ctx.live[f"draws {key}"]
    start = cells.text.partition(":")[0]
    text = f"{start}:INDEX({cells.text},{count.text})"
    return lambda row: Term(text, cells.value[: int(count.value[row])])


def _write_running(ctx: Context, sheet: Sheet, row: int, one: Convergence) -> int:
    money = ctx.currency
    threshold = ctx.live[f"threshold {ctx.threshold_index()}"]
    top = row = heading(
        sheet,
        row,
        f"{ctx.label(one.id)} against {ctx.label(one.versus)}",
        "Formulas over the first draws of PSA results (methods 7.4). The band is ± 1.96 standard "
        "errors of independent draws.",
    )
    words = ("INMB and probability at the middle threshold, ", whole_number(threshold))
    put(sheet, row, 0, joined(*words, f" {money} per QALY."), Style("formula"))
    row += 1
    draws = one.draws[one.draws <= stored_results(ctx)].astype(np.float64)
    first = row + 1
    rows = range(len(draws))
    sheet.text(row, 0, "Draws", Style("header"))
    sheet.height(row, 44)
    sheet.block(first, 0, draws.reshape(-1, 1), [Style("value", unit="count")])
    count = Column(sheet, 0, first, draws).here
    cost, qaly = (_first(ctx, f"delta {name} {one.id}", count) for name in ("cost", "qaly"))
    grid = Grid(sheet, len(draws), first, 1)
    worth = weighted(ctx, threshold)
    extra = grid.add(
        "cost", f"Extra cost, {money}", by_row(lambda r: average(cost(r)), rows), _MONEY
    )
    gain = grid.add("qaly", "QALYs gained", by_row(lambda r: average(qaly(r)), rows), _QALY)
    benefit = grid.add("inmb", f"INMB, {money}", worth * gain.here - extra.here, _MONEY)
    of_row = partial(_of_row, cost=cost, qaly=qaly, worth=worth)
    chance = by_row(lambda r: _share_above(ctx, of_row(r)) / _number(count, r), rows)
    grid.add("probability", "Probability INMB > 0", chance, _SHARE)
    if draws[0] > 1:
        spread = by_row(lambda r: _squares(ctx, of_row(r), _number(benefit.here, r)), rows)
        z95 = ctx.constants.term(Z95, "Standard errors in half a 95% interval")
        half = z95 * root(spread / (count - 1) / count)
        wide = grid.add("half", f"Half-width, {money}", half, _MONEY)
        grid.add("lower", f"INMB, lower, {money}", benefit.here - wide.here, _MONEY)
        grid.add("upper", f"INMB, upper, {money}", benefit.here + wide.here, _MONEY)
    place = grid.place
    icers = _write_icers(ctx, sheet, row, place, extra, gain)
    last = first + len(draws) - 1
    _place_charts(ctx, sheet, top, one, grid, (first, last), place, icers)
    return max(last + 1, top + CHART_ROWS)


def _number(column: Term, row: int) -> Term:
    return Term(column.text, float(column.value[row]))


def _of_row(
    row: int, cost: Callable[[int], Term], qaly: Callable[[int], Term], worth: Term
) -> Term:
    """INMB of each of the first draws."""
    return worth * qaly(row) - cost(row)


def _share_above(ctx: Context, inmb: Term) -> Term:
    """Draws with INMB above 0, those at 0 counted half."""
    two = ctx.constants.term(2, "The power of a square")
    return sum_of_products((inmb > 0) + inmb.equals(0) / two)


def _squares(ctx: Context, inmb: Term, mean: Term) -> Term:
    return sum_of_products(square(ctx, inmb - mean))


def _write_icers(
    ctx: Context, sheet: Sheet, row: int, place: int, extra: Column, gain: Column
) -> FloatArray:
    """Write the running ICER; a cell stays empty where it has none, for the chart to leave out."""
    heading_style = Style("header", align="right")
    sheet.text(row, place, f"ICER, {ctx.currency} per QALY", heading_style)
    term = extra.here / gain.here
    found = np.full(len(extra.values), np.nan)
    for offset, (cost, qaly) in enumerate(zip(extra.values, gain.values, strict=True)):
        if cea.icer(float(cost), float(qaly)) is None:
            continue
        found[offset] = term.value[offset]
        text = "=" + in_row(local(term.text, sheet), row + 2 + offset)
        sheet.formula(row + 1 + offset, place, text, float(found[offset]), _MONEY)
    return found


def _place_charts(
    ctx: Context,
    sheet: Sheet,
    top: int,
    one: Convergence,
    grid: Grid,
    rows: tuple[int, int],
    icer_place: int,
    icers: FloatArray,
) -> None:
    end = float(one.draws[-1])
    x = Axis(title="Draws", low=0, high=end, step=nice_step(end, 5), number_format="#,##0")
    draws = Cells(sheet, 0, *rows)
    colour, label = ctx.colour(one.id), ctx.label(one.id)
    settled = slice(grid.rows // 10, None)

    def series(name: str, place: int, dash: str = "solid") -> Series:
        width = 2.25 if dash == "solid" else 1.0
        cells = Cells(sheet, place, *rows)
        return Series(name=name, x=draws, y=cells, colour=colour, dash=dash, width=width)

    keys = [key for key in ("lower", "upper", "inmb") if key in grid.columns]
    low, high, step = _near(np.concatenate([grid[key].values[settled] for key in keys]))
    form, words = money_scale(max(abs(low), abs(high)), ctx.currency)
    names = {"lower": "± 1.96 standard errors", "upper": "Upper", "inmb": "Running mean"}
    chart = xy_chart(
        ctx.book,
        f"Running mean of INMB at the middle threshold, {label}",
        [series(names[key], grid[key].place, "solid" if key == "inmb" else "dash") for key in keys],
        x,
        Axis(title=f"INMB, {words}", low=low, high=high, step=step, number_format=form),
    )
    if "upper" in keys:
        chart.set_legend({"position": "bottom", "delete_series": [1]})
    alt = "Running mean of incremental net monetary benefit with its 95% band, by draws."
    place = icer_place + 2
    sheet.place(top, place, chart, width=620, height=360, alt=alt)
    low, high, step = _near(grid["probability"].values[settled], least=0.05, floor=0.0, ceiling=1.0)
    chart = xy_chart(
        ctx.book,
        f"Running probability that INMB is above 0, {label}",
        [series("Probability", grid["probability"].place)],
        x,
        Axis(
            title="Probability at the middle threshold",
            low=low,
            high=high,
            step=step,
            number_format="0%" if step >= 0.01 else "0.0%",
        ),
    )
    chart.set_legend({"none": True})
    alt = "Running share of draws with positive incremental net benefit, by draws."
    sheet.place(top + 20, place, chart, width=620, height=360, alt=alt)
    finite = icers[settled][np.isfinite(icers[settled])]
    if not len(finite):
        return
    low, high, step = _near(finite)
    form, words = money_scale(high, ctx.currency)
    chart = xy_chart(
        ctx.book,
        f"Running ICER (ratio of means), {label}",
        [series("ICER", icer_place)],
        x,
        Axis(title=f"ICER, {words} per QALY", low=low, high=high, step=step, number_format=form),
    )
    chart.set_legend({"none": True})
    alt = "Running ratio of mean incremental cost to mean incremental QALYs, by draws."
    sheet.place(top + 40, place, chart, width=620, height=360, alt=alt)


def _near(
    values: FloatArray,
    least: float | None = None,
    floor: float = -np.inf,
    ceiling: float = np.inf,
) -> tuple[float, float, float]:
    """Axis limits around values that need not hold zero, and not beyond floor and ceiling."""
    low, high = float(values.min()), float(values.max())
    step = nice_step(max(high - low, least or max(abs(high) * 0.02, 1.0)), 5)
    bottom, top = np.floor(low / step + 1e-9) * step, np.ceil(high / step - 1e-9) * step
    top = max(top, bottom + (least or step))
    return max(float(bottom), floor), min(float(top), ceiling), step
