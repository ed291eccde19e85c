"""``PSA summary``: what the stored draws say on average and how precisely, as formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from heor.analyses.psa_results import BaseCheck
from heor.analyses.psa_summary import BEYOND_CHANCE
from heor.report.live import Term, absolute, call, cell, cells, every, largest, put, total, where
from heor.report.sheets.calc_inputs import stale_banner
from heor.report.sheets.comparison import (
    DASH,
    ratio_term,
    saving_term,
    status_term,
    tolerances,
)
from heor.report.sheets.draw_terms import (
    INDEPENDENT,
    average,
    best_share,
    combined_error,
    deviation,
    net_benefit,
    percentile,
    probability_error,
    share_of_draws,
    standard_error,
    weighted,
)
from heor.report.sheets.layout import HEAD_ROWS, Context, head, heading, table_head
from heor.report.sheets.psa import INCREMENTS, OUTCOMES, sample, summary
from heor.report.xlsx import NOTE, Sheet, Style
from heor.spec.parameters import FloatArray

#: Ends of the percentile interval.
LOW, HIGH = 0.025, 0.975

#: Relative difference below which a PSA mean equals the base case.
EQUAL = 1e-9

_SHARE = Style("formula", unit="proportion")
_MONEY = Style("formula", unit="money")
_RIGHT = Style("formula", unit="money", align="right")
_WIDTH = 17

#: Quadrants of the cost-effectiveness plane: key, words, whether costs rise, whether QALYs do.
QUADRANTS = (
    ("NE", "North-east: costs more, gains QALYs", True, True),
    ("SE", "South-east: costs less, gains QALYs (dominant)", False, True),
    ("SW", "South-west: costs less, loses QALYs", False, False),
    ("NW", "North-west: costs more, loses QALYs (dominated)", True, False),
)


def write_summary(ctx: Context, sheet: Sheet) -> None:
    """Fill ``PSA summary``: means with their precision, the comparison of means, probabilities."""
    made = summary(ctx)
    row = head(ctx, sheet, "PSA summary", live=True, probabilistic=True)
    stale_banner(ctx, sheet, HEAD_ROWS - 1, 0)
    if made.stopping:
        sheet.text(row, 0, made.stopping, NOTE)
        row += 1
    row = _write_means(ctx, sheet, row)
    row = _write_comparison(ctx, sheet, row + 1)
    row = _write_quadrants(ctx, sheet, row + 1)
    row = _write_probabilities(ctx, sheet, row + 1)
    _write_base_checks(ctx, sheet, row + 1)
    sheet.widths((46, *([_WIDTH] * 8)))
    sheet.freeze(4, 1)
    sheet.print_setup(pages=1)


def put_or_dash(sheet: Sheet, row: int, column: int, term: Term | None, style: Style) -> None:
    """Write a formula, or a dash where there is no number to be had."""
    if term is None:
        sheet.text(row, column, DASH, Style(align="right"))
    else:
        put(sheet, row, column, term, style)


def _write_means(ctx: Context, sheet: Sheet, row: int) -> int:
    stratified = sample(ctx).sampler != INDEPENDENT
    row = heading(
        sheet,
        row,
        "Means over draws",
        "Formulas over PSA results. MCSE: Monte Carlo standard error of the mean (methods 7.4), "
        + ("from the means of the randomisations." if stratified else "SD/√N."),
    )
    heads = ("Outcome", "Mean", "MCSE", "SD of draws", "2.5th percentile", "97.5th percentile")
    row = table_head(sheet, row, heads)
    sheet.text(row, 0, "Share of draws below", NOTE)
    for column, share in ((4, LOW), (5, HIGH)):
        sheet.number(row, column, share, Style("value", unit="proportion"))
    low, high = cell(sheet, row, 4, LOW), cell(sheet, row, 5, HIGH)
    row += 1
    items = [
        (f"{w}, {ctx.label(s)}", f"{n} {s}", u) for s in ctx.strategies for n, w, u in OUTCOMES
    ]
    items += [
        (f"Δ {w}, {ctx.label(s)} − {ctx.label(ctx.reference)}", f"delta {n} {s}", u)
        for s in ctx.others
        for n, w, u in INCREMENTS
    ]
    several = sample(ctx).n > 1
    for label, key, unit in items:
        money = unit == "money"
        sheet.text(row, 0, f"{label}, {ctx.currency}" if money else label)
        draws = ctx.live[f"draws {key}"]
        style = Style("formula", unit=unit)
        mean = put(sheet, row, 1, average(draws), style)
        ctx.live[f"mean {key}"], ctx.cells[f"mean {key}"] = mean, mean.text
        fine = Style("formula", unit="money" if money else "number")
        error = standard_error(ctx, key)
        put_or_dash(sheet, row, 2, error, fine)
        if error is not None:
            ctx.live[f"mcse {key}"] = cell(sheet, row, 2, error.value)
        put_or_dash(sheet, row, 3, deviation(draws) if several else None, style)
        put(sheet, row, 4, percentile(draws, low), style)
        put(sheet, row, 5, percentile(draws, high), style)
        row += 1
    return row


def _write_comparison(ctx: Context, sheet: Sheet, row: int) -> int:
    money, reference = ctx.currency, ctx.label(ctx.reference)
    row = heading(
        sheet,
        row,
        f"Means against {reference}",
        "The ICER is the ratio of the means, never the mean of ratios; it has no interval "
        "(methods 6.3).",
    )
    heads = (
        "Strategy",
        f"ICER of the means, {money} per QALY",
        "MCSE of the ICER",
        f"Saved per QALY forgone, {money}",
        f"ICER on Results, {money} per QALY",
        "Status of the means",
    )
    row = table_head(sheet, row, heads, 44, texts=heads[-1:])
    for strategy in ctx.others:
        sheet.text(row, 0, ctx.label(strategy))
        cost, qaly = (ctx.live[f"mean delta {name} {strategy}"] for name in ("cost", "qaly"))
        strong = Style("formula", "money", True, align="right")
        found = put(sheet, row, 1, ratio_term(ctx, cost, qaly), strong)
        ctx.cells[f"psa icer {strategy}"] = found.text
        error = combined_error(ctx, strategy, cost / qaly, 1)
        if error is not None:
            least_cost, least_qaly = tolerances(ctx)
            rises = every(cost >= least_cost, qaly >= least_qaly)
            error = where(rises, error / absolute(qaly), DASH)
        put_or_dash(sheet, row, 2, error, _RIGHT)
        put(sheet, row, 3, saving_term(ctx, cost, qaly), _RIGHT)
        base = ctx.live[f"icer {strategy}"]
        put(sheet, row, 4, base, Style("link", unit="money", align="right"))
        put(sheet, row, 5, status_term(ctx, cost, qaly), Style("formula", indent=1))
        row += 1
    return row


def _write_quadrants(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet, row, "Quadrants of the cost-effectiveness plane", "Shares of all stored draws."
    )
    words = [label.split(":")[0] for _, label, _, _ in QUADRANTS]
    row = table_head(sheet, row, ("Against the reference", *words, "On an axis"))
    for strategy in ctx.others:
        sheet.text(row, 0, ctx.label(strategy))
        for column, (key, _, north, east) in enumerate(QUADRANTS, start=1):
            share = put(sheet, row, column, _quadrant(ctx, strategy, north, east), _SHARE)
            ctx.live[f"quadrant {key} {strategy}"] = share
        place = sheet.range(row, 1, row, len(QUADRANTS))
        inside = sum(
            float(ctx.live[f"quadrant {key} {strategy}"].value) for key, _, _, _ in QUADRANTS
        )
        rest = put(sheet, row, len(QUADRANTS) + 1, 1 - Term(f"SUM({place})", inside), _SHARE)
        ctx.live[f"quadrant on axis {strategy}"] = rest
        row += 1
    return row


def _quadrant(ctx: Context, strategy: str, north: bool, east: bool) -> Term:
    """Share of draws in a quadrant; draws on an axis are in none."""
    cost, qaly = (ctx.live[f"draws delta {name} {strategy}"] for name in ("cost", "qaly"))
    least_cost, least_qaly = tolerances(ctx)
    return share_of_draws(
        ctx,
        (cost >= least_cost if north else cost <= -least_cost)
        * (qaly >= least_qaly if east else qaly <= -least_qaly),
    )


def _write_probabilities(ctx: Context, sheet: Sheet, row: int) -> int:
    money, reference = ctx.currency, ctx.label(ctx.reference)
    row = heading(
        sheet,
        row,
        "Cost-effectiveness at the thresholds",
        "Probability of the highest net benefit of all strategies, ties shared equally. Expected "
        "loss: net benefit lost on average by always choosing the strategy (methods 7.4).",
    )
    heads = (
        "Strategy",
        f"Threshold, {money} per QALY",
        f"Mean NMB, {money}",
        "Probability best",
        "MCSE of the probability",
        f"INMB over {reference}, {money}",
        f"MCSE of INMB, {money}",
        f"INMB from draws in which it is best, {money}",
        f"Expected loss, {money}",
    )
    row = table_head(sheet, row, heads, 58)
    blocks = []
    for index in range(len(ctx.results.base.thresholds)):
        blocks.append((index, row))
        row = _write_threshold(ctx, sheet, row, index)
    below = (
        "Threshold, in the order of the settings",
        f"Threshold, {money} per QALY",
        f"EVPI per patient, {money}",
        "CEAF: probability best of the next",
        "Highest mean NMB",
    )
    row = table_head(sheet, row + 1, below, 44, texts=below[-1:])
    for index, first in blocks:
        last = first + len(ctx.strategies) - 1
        sheet.text(row, 0, f"Threshold {index + 1}")
        put(sheet, row, 1, ctx.live[f"threshold {index}"], Style("link", unit="money"))
        losses, benefits, shares = (
            cells(sheet, first, column, last, column, _values(ctx, key, index))
            for column, key in ((8, "loss"), (2, "benefit"), (3, "probability"))
        )
        evpi = largest(0, call("MIN", np.min, losses))
        ctx.live[f"evpi {index}"] = put(sheet, row, 2, evpi, _MONEY)
        best = call("MATCH", _position, call("MAX", np.max, benefits), benefits, 0)
        ceaf = call("INDEX", _pick, shares, best)
        ctx.live[f"ceaf {index}"] = put(sheet, row, 3, ceaf, _SHARE)
        names = cells(sheet, first, 0, last, 0, [ctx.label(s) for s in ctx.strategies])
        put(sheet, row, 4, call("INDEX", _pick, names, best), Style("formula", indent=1))
        row += 1
    return row


def _position(wanted: float, values: FloatArray, exact: float) -> float:
    return float(np.flatnonzero(values == wanted)[0] + 1)


def _pick(values: Sequence[Any], place: float) -> Any:
    return values[int(place) - 1]


def _values(ctx: Context, key: str, index: int) -> FloatArray:
    return np.array([float(ctx.live[f"{key} {index} {s}"].value) for s in ctx.strategies])


def _write_threshold(ctx: Context, sheet: Sheet, row: int, index: int) -> int:
    live, first = ctx.live, row
    last = first + len(ctx.strategies) - 1
    won: list[float] = []
    for strategy in ctx.strategies:
        sheet.text(row, 0, ctx.label(strategy))
        threshold = put(sheet, row, 1, live[f"threshold {index}"], Style("link", unit="money"))
        worth = weighted(ctx, threshold)
        cost, qaly = (live[f"mean {name} {strategy}"] for name in ("cost", "qaly"))
        live[f"benefit {index} {strategy}"] = put(sheet, row, 2, worth * qaly - cost, _MONEY)
        best = best_share(ctx, strategy, worth)
        share = put(sheet, row, 3, share_of_draws(ctx, best), _SHARE)
        live[f"probability {index} {strategy}"] = share
        ctx.cells[f"probability {index} {strategy}"] = share.text
        error = probability_error(ctx, index, strategy, share)
        put_or_dash(sheet, row, 4, error, Style("formula", unit="percent_fine"))
        if strategy == ctx.reference:
            for column in (5, 6, 7):
                sheet.text(row, column, DASH, Style(align="right"))
        else:
            extra, more = (live[f"mean delta {name} {strategy}"] for name in ("cost", "qaly"))
            gain = put(sheet, row, 5, worth * more - extra, _MONEY)
            live[f"mean inmb {index} {strategy}"] = gain
            put_or_dash(sheet, row, 6, combined_error(ctx, strategy, worth, 1), _RIGHT)
            gains = share_of_draws(ctx, best * net_benefit(ctx, strategy, worth))
            won.append(float(put(sheet, row, 7, gains, _MONEY).value))
        row += 1
    total_won = total(cells(sheet, first, 7, last, 7, np.array(won)))
    for place, strategy in enumerate(ctx.strategies, start=first):
        loss = total_won
        if strategy != ctx.reference:
            loss = total_won - cell(sheet, place, 5, live[f"mean inmb {index} {strategy}"].value)
        live[f"loss {index} {strategy}"] = put(sheet, place, 8, loss, _MONEY)
    return row


def _write_base_checks(ctx: Context, sheet: Sheet, row: int) -> int:
    checks = summary(ctx).base_checks
    if not checks:
        return row
    row = heading(
        sheet,
        row,
        "PSA means against the base case",
        "A difference beyond chance shows a model that is not linear in its inputs (methods 7.5). "
        "Grey base-case values are those of the run.",
    )
    heads = ("Outcome", "Base case", "PSA mean", "Difference", "Relative", "In MCSEs", "In words")
    row = table_head(sheet, row, heads, texts=("In words",))
    for one in checks:
        _write_check(ctx, sheet, row, one)
        row += 1
    return row


def _write_check(ctx: Context, sheet: Sheet, row: int, one: BaseCheck) -> None:
    name = one.outcome.removeprefix("delta_")
    words, unit = next((w, u) for n, w, u in OUTCOMES if n == name)
    delta = name != one.outcome
    sheet.text(row, 0, f"{'Δ ' if delta else ''}{words}, {ctx.label(one.strategy)}")
    sheet.number(row, 1, one.base, Style("value", unit=unit))
    base = cell(sheet, row, 1, one.base)
    key = f"{'delta ' if delta else ''}{name} {one.strategy}"
    mean = put(sheet, row, 2, ctx.live[f"mean {key}"], Style("formula", unit=unit))
    difference = put(sheet, row, 3, mean - base, Style("formula", unit=unit))
    share = where(base.equals(0), DASH, difference / absolute(base))
    put(sheet, row, 4, share, Style("formula", unit="proportion", align="right"))
    error = ctx.live.get(f"mcse {key}")
    right = Style("formula", unit="ratio", align="right")
    equal = ctx.constants.term(EQUAL, "Relative difference below which numbers are equal")
    verdict: Term | str = "no standard error to judge the difference by"
    if error is None:
        put_or_dash(sheet, row, 5, None, right)
    else:
        # a spread of rounding alone tells nothing
        least = equal * largest(1, absolute(base))
        put(sheet, row, 5, where(error > least, difference / error, DASH), right)
        beyond = ctx.constants.term(BEYOND_CHANCE, "Standard errors beyond chance")
        apart = absolute(difference) > beyond * error
        verdict = where(
            apart, "beyond chance: not linear in its inputs", "within Monte Carlo error"
        )
        verdict = where(error > 0, verdict, "no standard error to judge the difference by")
    same = absolute(difference) <= equal * largest(1, absolute(base))
    put(sheet, row, 6, where(same, "equal", verdict), Style("formula", indent=1))
