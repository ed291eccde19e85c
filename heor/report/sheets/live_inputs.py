"""Live numbers of the input tables: ``calc:`` columns that the calculation sheets read.

A column mirrors an input column, row by row. Where the cell holds a number the mirror is that
number, so an edit is live; where it holds a formula of the user the mirror is the same formula over
the live values of the parameters, until a number is typed over it. A blank counts as the number
that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from heor.report.live import Term, literal, put, where, words
from heor.report.sheets.families import (
    Layout,
    averageable,
    derived_term,
    form_of,
    layout_of,
    waning_in,
)
from heor.report.sheets.inputs import calc_place, column_of, typed
from heor.report.sheets.layout import Context
from heor.report.xlsx import HEADER, Sheet, Style, cell_name
from heor.spec.context import as_values, read_expression
from heor.spec.expressions import Expression
from heor.spec.records import (
    ALL_CAUSE,
    AVERAGE,
    EXCESS,
    SPLINE,
    UNITS_PER_YEAR,
    WANING,
    TableData,
)

TITLE_KM = "Calc KM"

#: Years that no study reaches: the end of a window that has none.
FAR = 1e6

_WIDTH = 12
#: Columns of ``curves`` with a number, and what a blank counts as.
_CURVE_NUMBERS: Mapping[str, int] = {
    "weight": 1,
    "delay": 0,
    "acceleration": 1,
    "hazard_ratio": 1,
    "hr_from": 0,
    "hr_until": 0,
    "cure_fraction": 0,
    "early_mortality": 0,
    "early_period": 1,
    "km_until": 0,
    "pfs_death_share": 0,
}
_MAY_BE_ABSENT = ("hr_until", "km_until")


def write_live_inputs(ctx: Context) -> None:
    """Add the ``calc:`` columns of every table but ``parameters`` and ``scenarios``."""
    writers: Mapping[str, Callable[[LiveTable], None]] = {
        "curves": _curves,
        "utilities": _utilities,
        "costs": _costs,
        "adverse_events": partial(
            _numbers,
            columns={"probability": 0, "cost": 0, "disutility": 0, "duration_days": 0},
            money=("cost",),
        ),
        "budget": partial(_numbers, columns={"value": 0}),
        "life_table": _life_table,
        "cohort": partial(_numbers, columns={"age": 0, "male_share": 0, "share": 0}),
    }
    for name, write in writers.items():
        table = ctx.results.spec.tables.get(name)
        if table is not None and table.rows:
            write(LiveTable(ctx, table))


def live_formula(ctx: Context, expression: Expression) -> Term:
    """Formula of an expression over the live values of the parameters, by their names."""
    spec = ctx.results.spec
    base = as_values({p.id: p.value for p in spec.parameters.values()})
    value = float(expression.evaluate(base, 1)[0])
    return Term(expression.to_excel(ctx.names.__getitem__), value, 0)


def live_number(ctx: Context, address: str, text: str, blank: int | None) -> Term:
    """Give the number of a cell that holds a number, a formula of the user, or nothing.

    Parameters
    ----------
    address : str
        The cell.
    text : str
        What it holds now.
    blank : int or None
        What a blank counts as; None where the cell may not be blank.
    """
    number = typed(text)
    here = Term(address, number)
    if isinstance(number, float):
        return here if blank is None else where(here.equals(""), blank, here)
    if not text:
        return where(here.equals(""), literal(0) if blank is None else blank, here)
    formula = live_formula(ctx, read_expression(text))
    otherwise = formula if blank is None else where(here.equals(""), blank, formula)
    return where(Term(f"ISNUMBER({address})", False), here, otherwise)


class LiveTable:
    """The ``calc:`` columns of one table, added from left to right."""

    def __init__(self, ctx: Context, table: TableData) -> None:
        self.ctx = ctx
        self.table = table
        self.sheet: Sheet = ctx.book.sheets[table.name]
        self.place = calc_place(table)

    @property
    def rows(self) -> range:
        """Rows of the table, counted from 0."""
        return range(len(self.table.rows))

    def text(self, column: str, row: int) -> str:
        """What a cell of the user holds; blank where the table lacks the column."""
        columns = self.table.columns
        return self.table.rows[row][columns.index(column)] if column in columns else ""

    def address(self, column: str, row: int) -> str:
        """Address of a cell of the user on its own sheet."""
        return cell_name(row + 1, self.table.columns.index(column))

    def has(self, column: str) -> bool:
        """Whether the table has a column."""
        return column in self.table.columns

    def word(self, column: str, row: int) -> Term:
        """Give the text of a cell; "" where the table lacks the column."""
        if not self.has(column):
            return words("")
        here = Term(self.address(column, row), self.text(column, row))
        return where(here.equals(""), "", here)

    def number(self, column: str, row: int, blank: int) -> Term:
        """Give the number of a cell; ``blank`` where it is blank or the table lacks the column."""
        if not self.has(column):
            return literal(blank)
        return live_number(self.ctx, self.address(column, row), self.text(column, row), blank)

    def per_year(self, column: str, row: int) -> Term:
        """Give how many of the unit that a cell names make a year; 1 where there is none."""
        if not self.has(column):
            return literal(1)
        return units_per_year(self.ctx, Term(self.address(column, row), self.text(column, row)))

    def add(self, key: str, terms: Sequence[Term], style: Style | None = None) -> list[Term]:
        """Add the column ``calc: key`` and make its cells known as ``<table> <row> <key>``."""
        style = Style("formula", align="right") if style is None else style
        self.sheet.text(0, self.place, f"calc: {key}", HEADER)
        self.sheet.widths((_WIDTH,), self.place)
        cells = [
            put(self.sheet, row + 1, self.place, term, style) for row, term in enumerate(terms)
        ]
        name = self.table.name
        for row, term in enumerate(cells):
            self.ctx.live[f"{name} {row} {key}"] = term
        self.ctx.live[f"{name} {key}"] = self.range(self.place, [term.value for term in terms])
        self.place += 1
        return cells

    def range(self, column: int, values: Sequence[float | str]) -> Term:
        """Give a column of the sheet as a range."""
        return Term(self.sheet.range(1, column, len(values), column), np.array(values))


def units_per_year(ctx: Context, unit: Term) -> Term:
    """How many of a unit, as written in a cell, make a year; a plural s is allowed, blank is 1."""
    word = str(unit.value).lower().removesuffix("s")
    result: Term = ctx.live["per year year"]
    for name in reversed([n for n in UNITS_PER_YEAR if n != "year"]):
        either = Term(f'OR({unit.text}="{name}",{unit.text}="{name}s")', word == name)
        result = where(either, ctx.live[f"per year {name}"], result)
    return result


def _numbers(live: LiveTable, columns: Mapping[str, int], money: tuple[str, ...] = ()) -> None:
    for column, blank in columns.items():
        style = Style("formula", unit="money_cents" if column in money else "", align="right")
        live.add(column, [live.number(column, row, blank) for row in live.rows], style)


def _curves(live: LiveTable) -> None:
    text = Style("formula")
    live.add("id", [live.word("id", row) for row in live.rows], text)
    live.add("family", [_form(live, "family", row) for row in live.rows], text)
    live.add("per year", [live.per_year("time_unit", row) for row in live.rows])
    live.add("marked", [_marked(live, row) for row in live.rows], text)
    for column, blank in _CURVE_NUMBERS.items():
        live.add(column, [live.number(column, row, blank) for row in live.rows])
        if column in _MAY_BE_ABSENT:
            live.add(f"has_{column}", [_filled(live, column, row) for row in live.rows])
    if waning_in(live.ctx.results.spec):
        _waning(live)
    if averageable(live.ctx.results.spec):
        numbers = [live.number("average_weight", row, 0) for row in live.rows]
        live.add("average_weight", numbers)
    _family_numbers(live)
    live.add("hazard", [_hazard(live, row) for row in live.rows], text)
    live.add("pps_family", [_form(live, "pps_family", row) for row in live.rows], text)
    _family_numbers(live, after=True)


def _waning(live: LiveTable) -> None:
    """Add what tells to which curve, when and how a curve's effect wanes (methods 1.8)."""
    text = Style("formula")
    live.add("wane_to", [live.word("wane_to", row) for row in live.rows], text)
    kinds = [live.word("wane", row) for row in live.rows]
    live.add("wane", [where(kind.equals(""), WANING[0], kind) for kind in kinds], text)
    starts = live.add("wane_from", [live.number("wane_from", row, 0) for row in live.rows])
    ends = [live.number("wane_until", row, 0) for row in live.rows]
    filled = [_filled(live, "wane_until", row) for row in live.rows]
    until = zip(filled, ends, starts, strict=True)
    live.add("wane_until", [where(f.equals(1), end, start) for f, end, start in until])


def _marked(live: LiveTable, row: int) -> Term:
    """Give ``strategy.endpoint.group`` in the rows of the base case, "" in the others.

    ``average`` follows it in those that are averaged.
    """
    curves = live.ctx.results.spec.curves
    curve = curves[row]
    slot = f"{curve.strategy}.{curve.endpoint}.{curve.group}"
    if sum(f"{c.strategy}.{c.endpoint}.{c.group}" == slot for c in curves) == 1:
        return words(slot)
    if not live.has("use"):
        return words("")
    mark = live.address("use", row)
    standing = live.ctx.results.spec.standing(curve)
    either = Term(f'OR({mark}="x",{mark}="yes",{mark}&""="true")', standing == "yes")
    rest: Term | str = ""
    if slot in averageable(live.ctx.results.spec):
        rest = where(Term(f'{mark}="{AVERAGE}"', standing == AVERAGE), f"{slot} {AVERAGE}", "")
    return where(either, slot, rest)


def _hazard(live: LiveTable, row: int) -> Term:
    """Give what the hazard of a row counts; any other word than ``excess`` is all causes."""
    word = live.word("hazard", row)
    return where(word.equals(EXCESS), EXCESS, ALL_CAUSE)


def _filled(live: LiveTable, column: str, row: int) -> Term:
    if not live.has(column):
        return literal(0)
    return where(Term(live.address(column, row), live.text(column, row)).equals(""), 0, 1)


def _form(live: LiveTable, column: str, row: int) -> Term:
    """Give the family of a row, with the scale that a spline has."""
    word = live.word(column, row)
    if word.value != SPLINE:
        return word
    here = Term(live.address(column, row), SPLINE)
    form = form_of(live.ctx.results.spec.curves[row], after=column == "pps_family")
    return where(here.equals(SPLINE), form, word)


def _family_numbers(live: LiveTable, *, after: bool = False) -> None:
    """Add the numbers of each row's family, in the order of `Layout`; 1 where it has fewer."""
    ctx = live.ctx
    layout = layout_of(ctx.results.spec, after=after)
    for place, column in enumerate(layout.columns):
        before = layout.columns[:place]
        terms = []
        for row in live.rows:
            cells = [ctx.live[f"{live.table.name} {row} {name}"] for name in before]
            terms.append(_family_number(live, layout, row, cells))
        live.add(column, terms)


def _family_number(live: LiveTable, layout: Layout, row: int, before: Sequence[Term]) -> Term:
    """Give the number that follows those of a row that are in cells already."""
    curve = live.ctx.results.spec.curves[row]
    after = layout.letter == "q"
    form = form_of(curve, after=after)
    if not layout.has_form(form):
        return literal(1)
    family, place = layout.family(form), len(before)
    given = curve.pps_parameters if after else curve.parameters
    if place < len(family.parameters):
        name = family.parameters[place]
        if name in given:
            return live_formula(live.ctx, given[name])
        # a spline of fewer knots: no more bends, and its last knot again
        return literal(0) if name.startswith("gamma") else before[-1]
    return derived_term(live.ctx, family, before) or literal(1)


def _window(live: LiveTable, columns: Sequence[str]) -> None:
    """Add times of the rows in years."""
    ctx = live.ctx
    per_year = live.add("per year", [live.per_year("time_unit", row) for row in live.rows])
    far = ctx.constants.term(FAR, "Years that no study reaches: the end of what has no end")
    for column in columns:
        terms = []
        for row in live.rows:
            if not live.has(column):
                terms.append({"from": literal(0), "until": far, "every": literal(1)}[column])
                continue
            number = typed(live.text(column, row))
            here = Term(live.address(column, row), number)
            if isinstance(number, str) and number:  # a number of more digits than a cell holds
                here = live_number(ctx, here.text, number, None)
            blank = far if column == "until" else literal(1 if column == "every" else 0)
            terms.append(where(here.equals(""), blank, _over(here, per_year[row])))
        live.add(column, terms)


def _over(number: Term, per_year: Term) -> Term:
    """Divide a time by the units of a year; a blank cell, whose branch is not taken, gives 0."""
    blank = isinstance(number.value, str)
    return Term(number.text, 0.0 if blank else number.value, number.level) / per_year


def _utilities(live: LiveTable) -> None:
    _numbers(live, {"value": 1})
    _window(live, ("from", "until"))


def _costs(live: LiveTable) -> None:
    _numbers(live, {"amount": 0}, ("amount",))
    live.add("per", [live.per_year("per", row) for row in live.rows])
    _window(live, ("every", "from", "until"))


def _life_table(live: LiveTable) -> None:
    """Make the columns known as ranges; one whose cells cannot all be numbers gets a mirror."""
    for name in ("year", "age", "male", "female", "utility_male", "utility_female"):
        texts = [live.text(name, row) for row in live.rows]
        if not any(texts):
            continue
        if all(not text or isinstance(typed(text), float) for text in texts):
            values = [float(text) if text else np.nan for text in texts]
            place = column_of(live.table, name)
            live.ctx.live[f"life_table {name}"] = live.range(place, values)
        else:
            live.add(name, [live.number(name, row, 0) for row in live.rows])


def write_km(ctx: Context) -> None:
    """Fill ``Calc KM``: the Kaplan-Meier points of each curve together, times in years."""
    table = ctx.results.spec.tables.get("km")
    if table is None or not table.rows:
        return
    live = LiveTable(ctx, table)
    sheet = ctx.book.sheet(TITLE_KM)
    for place, (slot, curve) in enumerate(ctx.results.spec.km.items()):
        name = ".".join(slot)
        rows = [
            row
            for row in live.rows
            if (
                live.text("strategy", row),
                live.text("endpoint", row),
                live.text("group", row) or "all",
            )
            == slot
        ]
        sheet.text(_KM_HEAD - 1, 2 * place, name, Style(bold=True))
        sheet.row(_KM_HEAD, 2 * place, ("Time (years)", "Survival"), HEADER)
        for column, key in enumerate(("time", "survival")):
            values = []
            for offset, row in enumerate(rows):
                number = _from_table(live, key, row)
                if key == "time":
                    unit = live.text("time_unit", row)
                    address = live.sheet.ref(row + 1, column_of(table, "time_unit"))
                    number = number / units_per_year(ctx, Term(address, unit))
                style = Style("link" if key == "survival" else "formula", align="right")
                put(sheet, _KM_HEAD + 1 + offset, 2 * place + column, number, style)
                values.append(float(number.value))
            first = _KM_HEAD + 1
            area = sheet.range(first, 2 * place + column, _KM_HEAD + len(rows), 2 * place + column)
            ctx.live[f"km {name} {key}"] = Term(area, np.array(values))
        assert len(rows) == len(curve.time)
    sheet.text(0, 0, "Kaplan-Meier points in years", Style("title", size=15))
    sheet.text(1, 0, "The table km, a pair of columns for each curve (methods 2).", Style("note"))
    sheet.widths([14] * (2 * len(ctx.results.spec.km)))
    sheet.freeze(_KM_HEAD + 1)
    sheet.print_setup(repeat=(_KM_HEAD, _KM_HEAD))


_KM_HEAD = 4


def _from_table(live: LiveTable, column: str, row: int) -> Term:
    """Give a number of the table for another sheet."""
    address = live.sheet.ref(row + 1, column_of(live.table, column))
    return live_number(live.ctx, address, live.text(column, row), None)
