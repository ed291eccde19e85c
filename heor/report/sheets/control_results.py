"""What stands above the selectors on ``Control``: the live result, and what it should be.

Beside the live totals stand those of the base case, and the stored result of the scenario or draw
that is chosen, so that a reviewer sees the workbook give what the engine gave.
"""

from __future__ import annotations

import numpy as np

from heor.report.live import Term, call, cell, put, where
from heor.report.sheets.control import RESULTS_ROW, TITLE_CONTROL
from heor.report.sheets.layout import Context
from heor.report.sheets.scenarios_live import scenario_places
from heor.report.xlsx import HEADER, NOTE, Sheet, Style
from heor.spec.records import PARTITIONED

_MONEY = Style("formula", unit="money", align="right", bold=True)
_QALY = Style("formula", unit="qaly", align="right", bold=True)
_NONE = "–"
#: Digits after the point to which a difference is shown; arithmetic in another order moves more.
_DIGITS = 6


def write_control_results(ctx: Context) -> None:
    """Fill the head of ``Control``; ``Results`` and ``PSA results`` must stand.

    What heor found for what is chosen becomes known as ``stored cost <strategy>`` and so on.
    """
    sheet = ctx.book.sheets[TITLE_CONTROL]
    money = ctx.currency
    row = RESULTS_ROW
    headings = (
        "Strategy",
        "Stored result is of",
        f"Cost now, {money}",
        "QALYs now",
        f"ICER now, {money} per QALY",
        f"Base case: cost, {money}",
        "Base case: QALYs",
        "Base case: ICER",
        f"Stored: cost, {money}",
        "Stored: QALYs",
        "Now minus stored: cost",
        "Now minus stored: QALYs",
    )
    for column, name in enumerate(headings):
        sheet.text(row, column, name, Style("header", align="right") if column > 1 else HEADER)
    sheet.widths((18, 20, 20), 9)
    sheet.height(row, 30)
    stored = _stored_of(ctx)
    for place, strategy in enumerate(ctx.strategies, start=row + 1):
        _write_strategy(ctx, sheet, place, strategy, stored)
    _write_status(ctx, sheet, row + 1 + len(ctx.strategies))


def _stored_of(ctx: Context) -> Term:
    """What the stored result belongs to, in words."""
    draw, scenario = ctx.live["draw"], ctx.live["scenario"]
    named = where(scenario.equals(""), "base case", scenario)
    return where(draw > 0, Term(f'"PSA draw "&{draw.text}', ""), named)


def _write_strategy(ctx: Context, sheet: Sheet, row: int, strategy: str, stored: Term) -> None:
    totals = ctx.results.base.totals(strategy)
    grey = [Style("value", unit=unit, align="right") for unit in ("money", "qaly")]
    sheet.text(row, 0, ctx.label(strategy))
    put(sheet, row, 1, stored, Style("formula"))
    now = [
        put(sheet, row, 2, ctx.live[f"total cost {strategy}"], _link("money")),
        put(sheet, row, 3, ctx.live[f"total qaly {strategy}"], _link("qaly")),
    ]
    sheet.number(row, 5, totals.cost, grey[0])
    sheet.number(row, 6, totals.qaly, grey[1])
    if strategy != ctx.reference:
        icer = ctx.live[f"icer {strategy}"]
        put(sheet, row, 4, icer, _link("money"))
        pair = next(p for p in ctx.results.base.pairwise if p.id == strategy)
        sheet.cell(row, 7, icer.value if pair.icer is None else pair.icer, grey[0])
    digits = ctx.constants.term(_DIGITS, "Digits to which a difference that should be 0 is shown")
    for column, (key, value, live) in enumerate(
        (("cost", totals.cost, now[0]), ("qaly", totals.qaly, now[1]))
    ):
        base = cell(sheet, row, 5 + column, value)
        style = Style("formula", unit=grey[column].unit, align="right")
        kept = put(sheet, row, 8 + column, _stored(ctx, key, strategy, base), style)
        ctx.live[f"stored {key} {strategy}"] = kept
        difference = call("ROUND", lambda x, d: np.round(x, int(d)) + 0.0, live - kept, digits)
        known = Term(f"ISNUMBER({kept.text})", True)
        put(sheet, row, 10 + column, where(known, difference, _NONE), style)


def _link(unit: str) -> Style:
    return Style("link", unit=unit, align="right", bold=True)


def _stored(ctx: Context, key: str, strategy: str, base: Term) -> Term:
    """Stored outcome of the chosen draw, of the chosen scenario, or of the base case."""
    draw, scenario = ctx.live["draw"], ctx.live["scenario"]
    term = base
    results = scenario_places(ctx)
    if results is not None:
        area = results.outcome(key, strategy)
        hit = f"INDEX({area},MATCH(1,{results.applies},0))"
        found = Term(f'IF({hit}="","{_NONE}",{hit})', 0.0)
        term = where(scenario.equals(""), base, found)
    draws = ctx.live.get(f"draws {key} {strategy}")
    if draws is not None:
        term = where(draw > 0, Term(f"INDEX({draws.text},{draw.text})", 0.0), term)
    return term


def _write_status(ctx: Context, sheet: Sheet, row: int) -> None:
    """Say what the live cells do not follow."""
    asked, done = ctx.live["cycles asked"], ctx.live["cycles"]
    partitioned = ctx.results.spec.settings.structure == PARTITIONED
    lines = [
        where(
            asked > done,
            "STOP: the horizon is longer than the rows of this workbook; run heor again with it.",
            ""
            if partitioned
            else "STOP: the study is a state-transition model (setting structure)"
            "; live cells are partitioned survival, see Structure.",
        )
    ]
    results = scenario_places(ctx)
    if results is not None:
        beyond = Term(f'COUNTIFS({results.row_applies},1,{results.followed},"no")', 0.0)
        text = "STOP: this scenario also changes what only a run of heor follows: see scenarios."
        lines.append(where(beyond > 0, text, ""))
    for offset, term in enumerate(lines):
        put(sheet, row + offset, 0, term, Style("warning_text", bold=True))
    sheet.text(row, 8, "A difference other than 0 has its cause in your choices or edits.", NOTE)
