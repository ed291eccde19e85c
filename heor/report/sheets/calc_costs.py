"""``Calc Costs``: every cost item of every strategy, as amount × weight × time or events."""

from __future__ import annotations

from heor.report.live import Term, literal, put, sum_of_products
from heor.report.lookup import SummedRows
from heor.report.sheets.calc_price import POINTS, amount_at, moves_costs_only, source_cell
from heor.report.sheets.calc_quality import notes
from heor.report.sheets.cost_rows import CostRow, cost_rows
from heor.report.sheets.layout import Context, head, heading, table_head
from heor.report.xlsx import AFTER, LABEL, Sheet, Style
from heor.spec.records import ALL, AdverseEvent

TITLE = "Calc Costs"

_NOTES = (
    "Cost = amount × units per year × share of the group × years or events; a row is an item of "
    "the table costs or adverse_events that the strategy pays, in one state (methods 5).",
    "Years and events are sums over the trace with its weights of person-time; what is charged "
    "once, at the start, counts 1.",
)
_TRIGGERS = {
    "start": "once",
    "in_state": "years",
    "schedule": "at moments",
    "entry": "deaths",
    "exit": "exits",
    "adverse event": "once",
}
_MONEY, _LINK = Style("formula", unit="money_cents"), Style("link", unit="money_cents")
_NUMBER, _LINK_NUMBER = Style("formula", unit="number"), Style("link", unit="number")


def write_costs(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet and keep its rows in ``ctx.sums`` as ``costs`` and ``losses``."""
    row = head(ctx, sheet, "Costs and one-off losses, item by item", live=True)
    notes(sheet, row, _NOTES)
    row = _write_costs(ctx, sheet, row + 3)
    _write_losses(ctx, sheet, row + 1)
    sheet.widths((22, 46, 24, 20, 12, 16, *([14] * 12)))
    sheet.freeze(4, 2)
    sheet.print_setup(pages=1, large=True)


def _write_costs(ctx: Context, sheet: Sheet, row: int) -> int:
    money = ctx.currency
    row = heading(sheet, row, "Costs")
    texts = ("Strategy", "Item", "Category", "State", "Counted", "Group")
    heads = [
        *texts,
        f"Amount, {money}",
        "Units per year",
        "Share of the group",
        "Years or events, discounted",
        "Years or events",
        f"Cost discounted, {money}",
        f"Cost, {money}",
    ]
    keys = ["strategy", "item", "category", "state", "counted", "group"]
    keys += ["amount", "per", "weight", "times", "times plain", "discounted", "undiscounted"]
    points = POINTS if moves_costs_only(ctx.results.spec) else ()
    for point in points:
        heads += [f"Amount {point.words}, {money}", f"Cost discounted {point.words}, {money}"]
        keys += [f"amount {point.key}", f"discounted {point.key}"]
    row = table_head(sheet, row, heads, 44, texts=texts[1:])
    table = SummedRows(sheet, row, {key: place for place, key in enumerate(keys)})
    ctx.sums["costs"] = table
    for one in cost_rows(ctx):
        _write_cost(ctx, table, row, one)
        row += 1
    return row


def _write_cost(ctx: Context, table: SummedRows, row: int, one: CostRow) -> None:
    sheet = table.sheet
    words = (one.strategy, one.name, one.category, one.bucket, _TRIGGERS[one.trigger], one.group)
    for place, (key, text) in enumerate(zip(table.places, words, strict=False)):
        sheet.text(row, place, text, AFTER if place else LABEL)
        table.add(key, text)

    def add(key: str, term: Term, style: Style) -> Term:
        found = put(sheet, row, table.places[key], term, style)
        table.add(key, float(found.value))
        return found

    event = one.trigger == "adverse event"
    if event:
        probability, each = (
            ctx.live[f"adverse_events {one.item} {c}"] for c in ("probability", "cost")
        )
        amount = add("amount", probability * each, _MONEY)
    else:
        amount = add("amount", ctx.live[f"costs {one.item} amount"], _LINK)
    timed = one.trigger == "in_state"
    per = add(
        "per",
        ctx.live[f"costs {one.item} per"] if timed else literal(1),
        _LINK_NUMBER if timed else _NUMBER,
    )
    weight = add("weight", *_weight(ctx, one.strategy, one.group))
    discounted, plain = _counts(ctx, one)
    times = add("times", discounted, _NUMBER)
    plainly = add("times plain", plain, _NUMBER)
    add("discounted", amount * per * weight * times, _MONEY)
    add("undiscounted", amount * per * weight * plainly, _MONEY)
    spec = ctx.results.spec
    table_name, column = ("adverse_events", "cost") if event else ("costs", "amount")
    source = source_cell(ctx, table_name, one.item, column)
    for point in (point for point in POINTS if f"amount {point.key}" in table.places):
        if event:
            cost = spec.adverse_events[one.item].cost
            then = probability * amount_at(ctx, point, cost, each, source)
        else:
            then = amount_at(ctx, point, spec.costs[one.item].amount, amount, source)
        changed = add(f"amount {point.key}", then, _MONEY)
        add(f"discounted {point.key}", changed * per * weight * times, _MONEY)


def _weight(ctx: Context, strategy: str, group: str) -> tuple[Term, Style]:
    if group == ALL:
        return literal(1), _NUMBER
    return ctx.live[f"weight {strategy} {group}"], _LINK_NUMBER


def _counts(ctx: Context, one: CostRow) -> tuple[Term, Term]:
    """Years or events by which the amount is multiplied, discounted and not."""
    people = one.occupancy
    if people is None:
        return literal(1), literal(1)
    if people.empty:
        return literal(0), literal(0)
    if one.trigger == "schedule":
        there = ctx.columns[f"schedule {one.strategy} {one.item} {one.bucket}"].all
        return (
            sum_of_products(ctx.columns[f"schedule factor {one.item}"].all, there),
            sum_of_products(ctx.columns[f"schedule counts {one.item}"].all, there),
        )
    if one.trigger in ("entry", "exit"):
        leaving = people.starts - people.ends
        return (
            sum_of_products(ctx.columns["factor costs"].starts, leaving),
            sum_of_products(ctx.columns["inside"].starts, leaving),
        )
    share = ctx.columns[f"window {one.item}"].starts

    def years(side: str) -> Term:
        left, right = ctx.columns[f"left {side}"], ctx.columns[f"right {side}"]
        spent = left.starts * people.starts + right.starts * people.ends
        return sum_of_products(share, spent)

    return years("costs"), years("plain")


def _write_losses(ctx: Context, sheet: Sheet, row: int) -> int:
    row = heading(
        sheet,
        row,
        "One-off losses of QALYs",
        "Probability × disutility × days / days per year × share of the group, at the start, "
        "undiscounted (methods 4).",
    )
    heads = ("Strategy", "Event", "Group", "Probability", "Disutility", "Days", "Share", "QALYs")
    row = table_head(sheet, row, heads, texts=heads[1:3])
    keys = ("strategy", "event", "group", "probability", "disutility", "days", "weight", "qalys")
    table = SummedRows(sheet, row, {key: place for place, key in enumerate(keys)})
    ctx.sums["losses"] = table
    for strategy in ctx.strategies:
        for i, event in enumerate(ctx.results.spec.adverse_events):
            if event.strategy in (ALL, strategy):
                _write_loss(ctx, table, row, strategy, i, event)
                row += 1
    return row


def _write_loss(
    ctx: Context, table: SummedRows, row: int, strategy: str, i: int, event: AdverseEvent
) -> None:
    sheet = table.sheet
    for place, text in enumerate((strategy, event.event, event.group)):
        sheet.text(row, place, text, AFTER if place else LABEL)
    table.add("strategy", strategy)
    probability, disutility, days = (
        put(sheet, row, table.places[key], ctx.live[f"adverse_events {i} {column}"], _LINK_NUMBER)
        for key, column in (
            ("probability", "probability"),
            ("disutility", "disutility"),
            ("days", "duration_days"),
        )
    )
    term, style = _weight(ctx, strategy, event.group)
    weight = put(sheet, row, table.places["weight"], term, style)
    lost = probability * disutility * days / ctx.live["per year day"] * weight
    found = put(sheet, row, table.places["qalys"], lost, _NUMBER)
    table.add("qalys", float(found.value))
