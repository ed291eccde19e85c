"""``Calc Price``: the price at two other values, and what follows from it (methods 8).

The extra cost at the price, at twice the price plus 1 and at price 0 gives the slope and shows
whether costs are linear in the price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

from heor.report.live import Term, literal, put, where
from heor.report.live import words as quoted
from heor.report.sheets.calc_quality import notes
from heor.report.sheets.inputs import column_of
from heor.report.sheets.layout import Context, head, table_head
from heor.report.sheets.scenarios_live import scenario_rows
from heor.report.xlsx import AFTER, LABEL, Sheet, Style
from heor.spec.context import read_expression
from heor.spec.expressions import Expression, evaluation_order
from heor.spec.records import Spec

TITLE = "Calc Price"

_NOTES = (
    "The price and every parameter that depends on it, as they are and at two other prices; Calc "
    "Costs charges its items at those as well.",
    "Extra cost is linear in the price; from its slope follows the price that meets a threshold "
    "(methods 8), on the sheet Results.",
)
_VALUE = Style("formula", unit="")
_LINK = Style("link", unit="")

#: Steps of a formula that may fail at price 0.
_MAY_FAIL = frozenset(("/", "^", "ln", "sqrt", "exp"))


@dataclass(frozen=True, slots=True)
class Point:
    """Another price: its key, its words and how it follows from the price in use."""

    key: str
    words: str
    of: Callable[[Term], Term]


#: The two prices beside the one in use.
POINTS = (
    Point("dearer", "at twice the price plus 1", lambda price: price + price + 1),
    Point("free", "at price 0", lambda price: literal(0)),
)


def moves_costs_only(spec: Spec) -> bool:
    """Whether the study has a price that price analyses move, and it moves nothing but costs."""
    return bool(spec.settings.price_parameter) and not also_drives(spec)


def depends_on_price(spec: Spec) -> set[str]:
    """Parameters that follow the price in the base case or in some scenario."""
    found = {spec.settings.price_parameter}
    formulas = [(p.id, p.expression) for p in spec.parameters.values() if p.expression is not None]
    for override in _overrides(spec).values():
        formulas += override.items()
    while True:
        more = {i for i, formula in formulas if i not in found and found & set(formula.names)}
        if not more:
            return found
        found |= more


def also_drives(spec: Spec) -> str:
    """What the price drives besides costs, in words; empty when there is nothing."""
    wanted = depends_on_price(spec)
    for words, expression in _other_expressions(spec):
        if wanted & set(expression.names):
            return words
    return ""


def _other_expressions(spec: Spec) -> Iterator[tuple[str, Expression]]:
    for curve in spec.curves:
        for item in fields(curve):
            value = getattr(curve, item.name)
            found = value.values() if isinstance(value, Mapping) else (value,)
            for one in found:
                if isinstance(one, Expression):
                    yield f"the curve {curve.id}", one
    for utility in spec.utilities:
        yield "utilities", utility.value
    for event in spec.adverse_events:
        for one in (event.probability, event.disutility, event.duration_days):
            yield f"the adverse event {event.event}", one
    for part in spec.cohort:
        for one in (part.age, part.male_share, part.share):
            yield "the ages at the start", one
    settings = spec.settings
    for words, setting in (
        ("the standardised mortality ratio", settings.smr),
        ("the age at the start", settings.start_age),
        ("the share of men", settings.male_share),
    ):
        if setting is not None:
            yield words, setting


def _overrides(spec: Spec) -> dict[str, dict[str, Expression]]:
    """Parameters that each scenario sets, with what it sets them to."""
    return {
        scenario.name: {
            change.target: read_expression(change.value)
            for change in scenario.changes
            if change.target in spec.parameters
        }
        for scenario in spec.scenarios
    }


def write_prices(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet; register ``<point> <parameter>`` of everything that follows the price."""
    row = head(ctx, sheet, "The price at other values", live=True)
    notes(sheet, row, _NOTES)
    spec = ctx.results.spec
    wanted = depends_on_price(spec)
    ids = [i for i in spec.parameters if i in wanted]
    heads = ("Parameter", "What it is", "In use", *(p.words.capitalize() for p in POINTS))
    row = table_head(sheet, row + 3, heads, texts=heads[1:2])
    for place, point in enumerate(POINTS, start=3):
        values = _values_at(ctx, point)
        for offset, identifier in enumerate(ids):
            address = sheet.ref(row + offset, place)
            ctx.live[f"{point.key} {identifier}"] = Term(address, values[identifier])
    for offset, identifier in enumerate(ids):
        sheet.text(row + offset, 0, identifier, LABEL)
        sheet.text(row + offset, 1, spec.parameters[identifier].label, AFTER)
        put(sheet, row + offset, 2, ctx.live[f"param {identifier}"], _LINK)
        for place, point in enumerate(POINTS, start=3):
            term = _shadow(ctx, point, identifier)
            found = put(sheet, row + offset, place, term, _VALUE)
            if not np.isclose(float(found.value), ctx.live[f"{point.key} {identifier}"].value):
                raise ValueError(f"{TITLE}: {identifier} {point.words} is not what it should be")
    sheet.widths((24, 50, 18, 18, 18))
    sheet.freeze(row, 1)
    sheet.print_setup(pages=1)


def _values_at(ctx: Context, point: Point) -> dict[str, float]:
    """Values of all parameters at another price, in the base case."""
    spec = ctx.results.spec
    price = spec.settings.price_parameter
    values = {i: np.array([p.value]) for i, p in spec.parameters.items()}
    values[price] = np.array([float(point.of(Term("", float(values[price][0]))).value)])
    formulas = {
        p.id: p.expression
        for p in spec.parameters.values()
        if p.expression is not None and p.id != price
    }
    for identifier in evaluation_order(formulas):
        found = formulas[identifier].evaluate(values, 1)
        if np.isfinite(found[0]):
            values[identifier] = found
    return {i: float(v[0]) for i, v in values.items()}


def _shadow(ctx: Context, point: Point, identifier: str) -> Term:
    """Value of a parameter at another price: by the scenario's formula, its own, or unchanged."""
    spec, now = ctx.results.spec, ctx.live[f"param {identifier}"]
    if identifier == spec.settings.price_parameter:
        return point.of(now)
    own = spec.parameters[identifier].expression
    row = list(spec.parameters).index(identifier)
    cell = source_cell(ctx, "parameters", row, "value")
    term = now if own is None else amount_at(ctx, point, own, now, cell)
    places = {(one.scenario, one.target): one.place for one in scenario_rows(spec)}
    for name, override in _overrides(spec).items():
        if identifier in override:
            cell = source_cell(ctx, "scenarios", places.get((name, identifier), 0), "value")
            then = amount_at(ctx, point, override[identifier], now, cell)
            if then.text != term.text:
                chosen = Term(f"EXACT({ctx.live['scenario'].text},{quoted(name).text})", False)
                term = where(chosen, then, term)
    return term


def source_cell(ctx: Context, table: str, row: int, column: str) -> str:
    """Address of the cell of a table, its rows counted from 0, that may hold a user's formula.

    "" where there is no such cell.
    """
    known, sheet = ctx.results.spec.tables.get(table), ctx.book.sheets.get(table)
    if known is None or sheet is None or column not in known.columns:
        return ""
    return sheet.ref(row + 1, column_of(known, column))


def amount_at(ctx: Context, point: Point, expression: Expression, now: Term, source: str) -> Term:
    """Give an amount at another price: as it is now where it does not depend on the price.

    It no longer does where a number was typed over its formula, in the cell ``source``. Where the
    formula has no value at that price, the amount now stands in; the extra cost is then not linear
    in the price, which ``Results`` says.
    """
    at_price = {name: ctx.live.get(f"{point.key} {name}") for name in expression.names}
    if not any(at_price.values()):
        return now
    terms = {name: term or ctx.live[f"param {name}"] for name, term in at_price.items()}
    values = {name: np.array([float(term.value)]) for name, term in terms.items()}
    text = expression.to_excel(lambda name: terms[name].text)
    text = ctx.constants.lift(text, f"of the formula {expression.text}")
    value = float(expression.evaluate(values, 1)[0])
    if any(step.op in _MAY_FAIL for step in expression.steps):
        value = value if np.isfinite(value) else float(now.value)
        text = f"IFERROR({text},{now.text})"
    # bracketed wherever it is an operand, whatever its outermost operator
    then = Term(text, value, 0)
    return where(Term(f"ISNUMBER({source})", False), now, then) if source else then
