"""``Results``: totals, the fully incremental table, pairwise comparisons, net benefit, accrual."""

from __future__ import annotations

import math

import numpy as np

from heor.analyses.accrual import YEARS
from heor.engine.outcomes import EVENTS
from heor.report.charts import Axis, Cells, Series, xy_chart
from heor.report.live import (
    Term,
    absolute,
    cell,
    cells,
    literal,
    put,
    total,
    where,
    words,
)
from heor.report.lookup import cell_of, index, largest_of, match, until_year
from heor.report.sheets.calc_schedules import longest_horizon
from heor.report.sheets.comparison import (
    DASH,
    ratio_term,
    saving_term,
    status_term,
    tolerances,
)
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.sheets.price import write_price
from heor.report.xlsx import LABEL, Sheet, Style

_MONEY, _QALY = Style("formula", unit="money"), Style("formula", unit="qaly")
_LINK_MONEY, _LINK_QALY = Style("link", unit="money"), Style("link", unit="qaly")
_RATIO = Style("formula", unit="money", align="right")
_TEXT = Style("formula", indent=1)


def write_results(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; register totals, increments and ratios in ``live`` and ``cells``."""
    row = head(ctx, sheet, "Results", live=True)
    row = _write_totals(ctx, sheet, row)
    if ctx.others:
        row = _write_incremental(ctx, sheet, row + 1)
        row = _write_pairwise(ctx, sheet, row + 1)
    row = _write_net_benefit(ctx, sheet, row + 1)
    if ctx.others:
        row = write_price(ctx, sheet, row + 1)
        row = _write_accrual(ctx, sheet, row + 1)
        _write_years(ctx, sheet, row + 1)
    sheet.widths((34, *([17] * 10), 36))
    sheet.freeze(4, 1)
    sheet.print_setup(large=True)


def register(ctx: Context, key: str, term: Term) -> Term:
    """Make a cell known to other sheets."""
    ctx.live[key] = term
    ctx.cells[key] = term.text
    return term


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
    labels = [ctx.label(s) for s in ctx.strategies]
    area = cells(sheet, row, 0, row + len(labels) - 1, 0, np.array(labels))
    ctx.live["strategy labels"] = area
    for strategy in ctx.strategies:
        sheet.text(row, 0, ctx.label(strategy))
        for column, (key, style) in enumerate(
            (
                ("cost", _LINK_MONEY),
                ("ly", _LINK_QALY),
                ("qaly", _LINK_QALY),
                ("evly", _QALY),
                ("cost undiscounted", _LINK_MONEY),
                ("ly undiscounted", _LINK_QALY),
                ("qaly undiscounted", _LINK_QALY),
            ),
            start=1,
        ):
            source = _evly(ctx, strategy) if key == "evly" else ctx.live[f"{key} {strategy}"]
            register(ctx, f"total {key} {strategy}", put(sheet, row, column, source, style))
        row += 1
    return row


def _evly(ctx: Context, strategy: str) -> Term:
    """QALYs and, but for the reference, what longer lives are worth more (methods 4)."""
    qaly = ctx.live[f"total qaly {strategy}"]
    return qaly if strategy == ctx.reference else qaly + total(ctx.columns[f"gain {strategy}"].all)


def _write_incremental(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "Fully incremental analysis",
        "Frontier in order of QALYs, each against the one before it; dominated strategies below "
        "(steps on Calc CEA).",
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
    of = {key: ctx.live[f"cea {key}"] for key in _RANKED}
    for i in range(len(ctx.strategies)):
        rank = cell_of(of["shown"], i)
        put(sheet, row, 0, index(of["label"], rank), Style("formula"))
        put(sheet, row, 1, index(of["cost"], rank), _MONEY)
        put(sheet, row, 2, index(of["qaly"], rank), _QALY)
        against = index(of["against"], rank)
        alone = against.equals(0)
        label = where(alone, DASH, index(of["label"], against))
        put(sheet, row, 3, label, Style("formula", align="right"))
        extra = ((4, "extra cost", "money"), (5, "extra qaly", "qaly"), (6, "icer", "money"))
        for column, key, unit in extra:
            style = Style("formula", unit=unit, align="right", bold=key == "icer")
            put(sheet, row, column, where(alone, DASH, index(of[key], rank)), style)
        put(sheet, row, 7, index(of["words"], rank), _TEXT)
        row += 1
    return row


#: Columns of Calc CEA that the incremental table shows.
_RANKED = ("shown", "label", "cost", "qaly", "against", "extra cost", "extra qaly", "icer", "words")


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
    for strategy in ctx.others:
        _write_pair(ctx, sheet, row, strategy)
        row += 1
    return row


def _write_pair(ctx: Context, sheet: Sheet, row: int, strategy: str) -> None:
    sheet.text(row, 0, ctx.label(strategy))

    def difference(column: int, key: str, style: Style) -> Term:
        mine, theirs = (ctx.live[f"total {key} {s}"] for s in (strategy, ctx.reference))
        return put(sheet, row, column, mine - theirs, style)

    cost = register(ctx, f"delta cost {strategy}", difference(1, "cost", _MONEY))
    life = register(ctx, f"delta ly {strategy}", difference(2, "ly", _QALY))
    qaly = register(ctx, f"delta qaly {strategy}", difference(3, "qaly", _QALY))
    evlyg = register(ctx, f"evlyg {strategy}", difference(4, "evly", _QALY))
    bold = Style("formula", unit="money", align="right", bold=True)
    for column, effect in ((5, qaly), (6, life), (7, evlyg)):
        found = put(sheet, row, column, ratio_term(ctx, cost, effect), bold)
        if effect is qaly:
            register(ctx, f"icer {strategy}", found)
    put(sheet, row, 8, saving_term(ctx, cost, qaly), _RATIO)
    difference(9, "cost undiscounted", _MONEY)
    difference(10, "qaly undiscounted", _QALY)
    put(sheet, row, 11, status_term(ctx, cost, qaly), Style("formula", bold=True, indent=1))


def _write_net_benefit(ctx: Context, sheet: Sheet, row: int) -> int:
    """Net benefit per threshold; the severity weight stands in its own cell."""
    money = ctx.currency
    row = heading(
        sheet,
        row,
        "Net benefit",
        "NMB = threshold × weight × QALYs − cost; INMB and INHB are increments over "
        f"{ctx.label(ctx.reference)}.",
    )
    sheet.text(row, 0, "Severity weight on QALYs", LABEL)
    weight = put(sheet, row, 1, ctx.live["severity_weight"], Style("link", unit="ratio"))
    columns = [f"NMB {ctx.label(s)}, {money}" for s in ctx.strategies]
    columns += [f"INMB {ctx.label(s)}, {money}" for s in ctx.others]
    columns += [f"INHB {ctx.label(s)}, QALYs" for s in ctx.others]
    heads = (f"Threshold, {money} per QALY", *columns, "Best")
    row = table_head(sheet, row + 1, heads, 44, texts=("Best",))
    for place in range(len(ctx.results.base.thresholds)):
        style = Style("link", unit="money", align="left")
        k = put(sheet, row, 0, ctx.live[f"threshold {place}"], style)
        column = 1
        benefits = []
        for strategy in ctx.strategies:
            cost, qaly = (ctx.live[f"total {key} {strategy}"] for key in ("cost", "qaly"))
            benefits.append(put(sheet, row, column, k * weight * qaly - cost, _MONEY))
            column += 1
        for strategy in ctx.others:
            cost, qaly = (ctx.live[f"delta {key} {strategy}"] for key in ("cost", "qaly"))
            found = put(sheet, row, column, k * weight * qaly - cost, _MONEY)
            register(ctx, f"inmb {place} {strategy}", found)
            column += 1
        for strategy in ctx.others:
            cost, qaly = (ctx.live[f"delta {key} {strategy}"] for key in ("cost", "qaly"))
            term = where(k.equals(0), DASH, weight * qaly - cost / k)
            put(sheet, row, column, term, Style("formula", unit="qaly", align="right"))
            column += 1
        area = cells(sheet, row, 1, row, len(benefits), [one.value for one in benefits])
        put(sheet, row, column, _best(ctx, area), _TEXT)
        row += 1
    return row


def _best(ctx: Context, benefits: Term) -> Term:
    """Name the strategy with the most net benefit, the first of the study in a tie."""
    return index(ctx.live["strategy labels"], match(largest_of(benefits), benefits))


def _gained(ctx: Context, strategy: str, year: Term, measure: str) -> Term:
    """Discounted gain over the reference by a year, one-off losses included."""
    time, cycle = ctx.columns["t"], ctx.live["cycle"]

    def reached(who: str) -> Term:
        by_then = until_year(time, cycle, year, ctx.columns[f"{measure} {who}"])
        return by_then + ctx.live[f"qaly:{EVENTS} {who}"] if measure == "qalys" else by_then

    return reached(strategy) - reached(ctx.reference)


def _write_accrual(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "When the gain accrues",
        "Discounted gain over the reference reached by each year, and its share of the whole.",
    )
    columns = ("Strategy", "By year", "QALYs gained", "Share", "Life years gained", "Share", "")
    row = table_head(sheet, row, columns)
    small = tolerances(ctx)[1]
    share = Style("formula", unit="proportion", align="right")
    for strategy in ctx.others:
        for value in YEARS:
            sheet.text(row, 0, ctx.label(strategy))
            sheet.number(row, 1, value, Style("value", unit="count"))
            year = cell(sheet, row, 1, value)
            for column, measure, key in ((2, "qalys", "qaly"), (4, "life", "ly")):
                gain = put(sheet, row, column, _gained(ctx, strategy, year, measure), _QALY)
                whole = ctx.live[f"delta {key} {strategy}"]
                term = where(absolute(whole) < small, DASH, gain / whole)
                put(sheet, row, column + 1, term, share)
            past = words("past the horizon: the whole gain")
            inside = where(year <= ctx.live["horizon"], words("within the horizon"), past)
            put(sheet, row, 6, inside, Style("formula", indent=1))
            row += 1
    return row


def _write_years(ctx: Context, sheet: Sheet, row: int) -> int:
    """Write the gain by each year with its chart."""
    row = heading(
        sheet,
        row,
        "Gain by year",
        "Discounted QALYs and life years gained over the reference from the start to each year.",
    )
    heads = [f"{ctx.label(s)}, {what}" for what in ("QALYs", "life years") for s in ctx.others]
    row = table_head(sheet, row, ("Years since start", *heads), 30)
    first = row
    before: Term | None = None
    for _ in range(math.ceil(longest_horizon(ctx.results.spec) - 1e-9) + 1):
        count = Style("formula", unit="count", align="left")
        before = put(sheet, row, 0, literal(0) if before is None else before + 1, count)
        for column, (measure, strategy) in enumerate(
            ((m, s) for m in ("qalys", "life") for s in ctx.others), start=1
        ):
            put(sheet, row, column, _gained(ctx, strategy, before, measure), _QALY)
        row += 1
    _place_accrual_chart(ctx, sheet, first, row - 1)
    return row


def _place_accrual_chart(ctx: Context, sheet: Sheet, first: int, last: int) -> None:
    """Place the lines of QALYs gained beside their table."""
    years = Cells(sheet, 0, first, last)
    series = [
        Series(
            name=ctx.label(strategy),
            x=years,
            y=Cells(sheet, column, first, last),
            colour=ctx.colour(strategy),
        )
        for column, strategy in enumerate(ctx.others, start=1)
    ]
    title = f"QALYs gained over {ctx.label(ctx.reference)} by year"
    chart = xy_chart(
        ctx.book,
        title,
        series,
        Axis(title="Years since start", low=0, high=float(last - first)),
        Axis(title="Discounted QALYs gained so far"),
    )
    place = 2 + 2 * len(ctx.others)
    alt = f"{title}: one line a strategy, discounted, over {last - first} years."
    sheet.place(first - 1, place, chart, width=620, height=360, alt=alt)
