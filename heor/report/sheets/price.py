"""The price at which each threshold is met, on ``Results`` (methods 8)."""

from __future__ import annotations

from dataclasses import dataclass

from heor.report.live import Term, absolute, put, where, words
from heor.report.sheets.calc_price import POINTS, also_drives
from heor.report.sheets.comparison import ratio_term, tolerances
from heor.report.sheets.layout import Context, heading, table_head
from heor.report.xlsx import NOTE, Sheet, Style

#: What stands instead of a price.
NO_PRICE = "no price ≥ 0 meets the threshold"
EVERY_PRICE = "every price ≥ 0 meets the threshold"
NO_EFFECT = "the price does not change the extra cost"
NOT_LINEAR = "not linear in the price: no single answer"

#: Relative error with which costs count as linear in the price.
_LINEAR = 1e-9

_MONEY = Style("formula", unit="money_cents", align="right")


@dataclass(frozen=True, slots=True)
class _Slope:
    """What the price does to one comparison."""

    extra_cost: Term
    slope: Term
    linear: Term


def write_price(ctx: Context, sheet: Sheet, row: int) -> int:
    """Write the tables; nothing but a sentence where a price has no single answer."""
    spec = ctx.results.spec
    if not spec.settings.price_parameter:
        return row - 1
    price = spec.parameters[spec.settings.price_parameter]
    row = heading(
        sheet,
        row,
        "Price at which each threshold is met",
        f"{price.label or price.id} ({price.id}): price now + (threshold × weight × QALYs gained − "
        "extra cost) / change of the extra cost per unit of price.",
    )
    driven = also_drives(spec)
    if driven:
        text = f"The price also drives {driven}; its results are not linear in it, and no price is "
        sheet.text(row, 0, text + "computed.", NOTE)
        return row + 1
    now = ctx.live[f"param {price.id}"]
    row, slopes = _write_slopes(ctx, sheet, row, now)
    return _write_prices(ctx, sheet, row + 1, now, slopes)


def _write_slopes(ctx: Context, sheet: Sheet, row: int, now: Term) -> tuple[int, dict[str, _Slope]]:
    money = ctx.currency
    heads = (
        "Strategy",
        "Price now",
        f"Extra cost now, {money}",
        *(f"Extra cost {point.words}, {money}" for point in POINTS),
        "Change of the extra cost per unit of price",
        "Linear: 1, else 0",
        f"ICER at price 0, {money} per QALY",
    )
    row = table_head(sheet, row, heads, 44)
    slopes = {}
    for strategy in ctx.others:
        sheet.text(row, 0, ctx.label(strategy))
        price = put(sheet, row, 1, now, Style("link", unit="money_cents"))
        extra = put(sheet, row, 2, ctx.live[f"delta cost {strategy}"], _MONEY)
        dearer, free = (
            put(sheet, row, column, _extra_at(ctx, strategy, point.key), _MONEY)
            for column, point in enumerate(POINTS, start=3)
        )
        number = Style("formula", unit="number")
        # the dearer price lies the price plus 1 above the price
        slope = put(sheet, row, 5, (dearer - extra) / (price + 1), number)
        tolerance = ctx.constants.term(_LINEAR, "relative error of what counts as linear")
        off = absolute(free - (extra - slope * price))
        close = off <= tolerance * (absolute(extra) + absolute(dearer) + 1)
        linear = put(sheet, row, 6, where(close, 1, 0), Style("formula", unit="integer"))
        ratio = ratio_term(ctx, free, ctx.live[f"delta qaly {strategy}"])
        put(sheet, row, 7, ratio, Style("formula", unit="money", align="right"))
        slopes[strategy] = _Slope(extra, slope, linear)
        row += 1
    return row, slopes


def _extra_at(ctx: Context, strategy: str, point: str) -> Term:
    rows = ctx.sums["costs"]
    mine, theirs = (
        rows.sum(f"discounted {point}", strategy=ctx.live[f"id {s}"])
        for s in (strategy, ctx.reference)
    )
    return mine - theirs


def _write_prices(
    ctx: Context, sheet: Sheet, row: int, now: Term, slopes: dict[str, _Slope]
) -> int:
    heads = ("Strategy", f"Threshold, {ctx.currency} per QALY", "Price that meets it")
    row = table_head(sheet, row, heads, texts=heads[2:])
    for strategy, slope in slopes.items():
        for place in range(len(ctx.results.base.thresholds)):
            sheet.text(row, 0, ctx.label(strategy))
            threshold = put(
                sheet, row, 1, ctx.live[f"threshold {place}"], Style("link", unit="money")
            )
            term = _price(ctx, strategy, threshold, now, slope)
            # words run on to the right, so they stand at the left
            found = put(sheet, row, 2, term, Style("formula", unit="money_cents", indent=1))
            ctx.live[f"price {place} {strategy}"] = found
            ctx.cells[f"price {place} {strategy}"] = found.text
            row += 1
    return row


def _price(ctx: Context, strategy: str, threshold: Term, now: Term, slope: _Slope) -> Term:
    worth = ctx.live["severity_weight"] * threshold * ctx.live[f"delta qaly {strategy}"]
    price = now + (worth - slope.extra_cost) / slope.slope
    below = where(slope.slope > 0, words(NO_PRICE), words(EVERY_PRICE))
    met = where(price < 0, below, price)
    effect = where(absolute(slope.slope) < tolerances(ctx)[0], words(NO_EFFECT), met)
    return where(slope.linear.equals(1), effect, words(NOT_LINEAR))
