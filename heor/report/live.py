"""Formulas written once: each `Term` carries its spreadsheet text and its value.

A calculation sheet is built from terms. ``a * b`` makes the text of the product and its number in
one go, so the value stored beside a formula cannot come from another formula than the one in the
cell. Whether those values are right is for the tests to say, which compare them with the engine.

A text may hold the marks of the current, the previous and the next row of a column; `Grid` puts
row numbers in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from heor.report.fast_xlsx import MARKS
from heor.report.xlsx import Sheet, Style, column_letter, quote_title
from heor.spec.parameters import FloatArray

#: Marks of row numbers in a formula's text.
HERE, PREVIOUS, NEXT = MARKS

#: First row (from 0) of the cycles of every calculation sheet, so that rows match across sheets,
#: and the row of their headings.
GRID_ROW, GRID_HEADING = 12, 11

# How strongly the outermost operator of a text binds; a spreadsheet's unary minus binds tighter
# than its power.
_COMPARE, _ADD, _MULTIPLY, _POWER, _MINUS, _ATOM = range(6)

Value = Any  # float, str, or an array over rows or over a range


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Part of a formula: its text and what it comes to.

    ``value`` is a number or a text; for a row of a column an array ``(row,)``; for a range an
    array of its cells.
    """

    text: str
    value: Value
    level: int = _ATOM

    def _within(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"

    def __add__(self, other: Term | int) -> Term:
        return _binary("+", np.add, self, other, _ADD)

    def __radd__(self, other: int) -> Term:
        return literal(other) + self

    def __sub__(self, other: Term | int) -> Term:
        return _binary("-", np.subtract, self, other, _ADD)

    def __rsub__(self, other: int) -> Term:
        return literal(other) - self

    def __mul__(self, other: Term | int) -> Term:
        return _binary("*", np.multiply, self, other, _MULTIPLY)

    def __rmul__(self, other: int) -> Term:
        return literal(other) * self

    def __truediv__(self, other: Term | int) -> Term:
        return _binary("/", np.divide, self, other, _MULTIPLY)

    def __rtruediv__(self, other: int) -> Term:
        return literal(other) / self

    def __pow__(self, other: Term | int) -> Term:
        return _binary("^", np.power, self, other, _POWER)

    def __neg__(self) -> Term:
        # brackets round a power: a spreadsheet reads -a^b as (-a)^b
        return Term(f"-{self._within(_ATOM)}", _quiet(np.negative, self.value), _ADD)

    def __lt__(self, other: Term | int) -> Term:
        return _binary("<", np.less, self, other, _COMPARE)

    def __le__(self, other: Term | int) -> Term:
        return _binary("<=", np.less_equal, self, other, _COMPARE)

    def __gt__(self, other: Term | int) -> Term:
        return _binary(">", np.greater, self, other, _COMPARE)

    def __ge__(self, other: Term | int) -> Term:
        return _binary(">=", np.greater_equal, self, other, _COMPARE)

    def equals(self, other: Term | int | str) -> Term:
        """``a=b``; texts compare without regard to case, as a spreadsheet does."""
        right = _term(other)
        if isinstance(self.value, str) or isinstance(right.value, str):
            same = str(self.value).casefold() == str(right.value).casefold()
            return Term(f"{self._within(_ADD)}={right._within(_ADD)}", same, _COMPARE)
        return _binary("=", np.equal, self, right, _COMPARE)


def literal(value: int) -> Term:
    """0 or 1, the only numbers that a formula may hold; others stand in named cells."""
    if value not in (0, 1):
        raise ValueError(f"the number {value} needs a cell of its own")
    return Term(str(int(value)), float(value))


def words(text: str) -> Term:
    """Give a text inside a formula."""
    return Term('"' + text.replace('"', '""') + '"', text)


def _term(value: Term | int | str) -> Term:
    if isinstance(value, Term):
        return value
    return words(value) if isinstance(value, str) else literal(value)


def _quiet(function: Callable[..., Any], *values: Value) -> Value:
    with np.errstate(all="ignore"):
        return function(*values)


def _binary(
    sign: str, function: Callable[..., Any], left: Term, right: Term | int, level: int
) -> Term:
    other = _term(right)
    # the right side in brackets when it binds no tighter, so that sums keep their order; an
    # operand that starts with a minus sign always, for -a^b and a--b mislead the reader
    first = left.text if left.level >= level else f"({left.text})"
    if sign == "^" and left.text.startswith("-"):
        first = f"({left.text})"
    bare = other.level > level and not other.text.startswith("-")
    second = other.text if bare else f"({other.text})"
    return Term(f"{first}{sign}{second}", _quiet(function, left.value, other.value), level)


def call(name: str, function: Callable[..., Any], *arguments: Term | int | str) -> Term:
    """Give ``NAME(a,b)`` with the value ``function(a, b)``."""
    terms = [_term(argument) for argument in arguments]
    text = f"{name}({','.join(term.text for term in terms)})"
    return Term(text, _quiet(function, *(term.value for term in terms)))


def exp(a: Term) -> Term:
    """``EXP``."""
    return call("EXP", np.exp, a)


def ln(a: Term) -> Term:
    """``LN``."""
    return call("LN", np.log, a)


def raised(a: Term, power: Term) -> Term:
    """``a^power`` of a share: 0 where it underflows, which LibreOffice's own ``^`` calls an error.

    A share of 0 stays 0, also to the power of 0.
    """
    return where(a > 0, exp(power * ln(a)), 0)


def absolute(a: Term) -> Term:
    """``ABS``."""
    return call("ABS", np.abs, a)


def whole(a: Term) -> Term:
    """``INT``: rounded down."""
    return call("INT", np.floor, a)


def rounded_up(a: Term) -> Term:
    """``ROUNDUP(a,0)`` of a number that is not negative."""
    return Term(f"ROUNDUP({a.text},0)", _quiet(np.ceil, a.value))


def smallest(a: Term | int, b: Term | int) -> Term:
    """``MIN`` of two numbers, row by row."""
    return call("MIN", np.minimum, a, b)


def largest(a: Term | int, b: Term | int) -> Term:
    """``MAX`` of two numbers, row by row."""
    return call("MAX", np.maximum, a, b)


def where(condition: Term, then: Term | int | str, otherwise: Term | int | str) -> Term:
    """``IF``; a spreadsheet computes only the branch it takes."""
    first, second = _term(then), _term(otherwise)
    if isinstance(condition.value, np.ndarray) and condition.value.ndim:
        value: Value = np.where(condition.value, first.value, second.value)
    else:
        value = first.value if condition.value else second.value
    return Term(f"IF({condition.text},{first.text},{second.text})", value)


def every(*conditions: Term) -> Term:
    """``AND``."""
    return call("AND", lambda *values: reduce(np.logical_and, values), *conditions)


def some(*conditions: Term) -> Term:
    """``OR``."""
    return call("OR", lambda *values: reduce(np.logical_or, values), *conditions)


def choose(key: Term, cases: Sequence[tuple[str, Term | int]], otherwise: Term | int) -> Term:
    """Nested ``IF(key="word",…)``: the term of the word that a text cell holds."""
    result = _term(otherwise)
    for word, term in reversed(cases):
        result = where(key.equals(word), term, result)
    return result


def total(cells: Term) -> Term:
    """``SUM`` of a range."""
    return call("SUM", np.sum, cells)


def sum_of_products(*cells: Term) -> Term:
    """``SUMPRODUCT`` of ranges of one shape."""
    return call("SUMPRODUCT", lambda *values: float(np.sum(reduce(np.multiply, values))), *cells)


def cell(sheet: Sheet, row: int, column: int, value: Value) -> Term:
    """Give a cell by its absolute address, with the sheet."""
    return Term(sheet.ref(row, column), value)


def cells(
    sheet: Sheet, first_row: int, first_column: int, last_row: int, last_column: int, value: Value
) -> Term:
    """Give a range by its absolute address, with the sheet."""
    return Term(sheet.range(first_row, first_column, last_row, last_column), value)


def put(sheet: Sheet, row: int, column: int, term: Term, style: Style) -> Term:
    """Write a term as the formula of one cell and give the cell as a term."""
    value = term.value if isinstance(term.value, str) else float(term.value)
    sheet.formula(row, column, "=" + local(term.text, sheet), value, style)
    return cell(sheet, row, column, value)


def local(text: str, sheet: Sheet) -> str:
    """Text of a formula without the name of the sheet it stands on."""
    return text.replace(quote_title(sheet.title) + "!", "")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a grid: values ``(row,)`` in cells of their own."""

    sheet: Sheet
    place: int
    first: int
    values: FloatArray

    def _row(self, mark: str, values: FloatArray) -> Term:
        title = quote_title(self.sheet.title)
        return Term(f"{title}!${column_letter(self.place)}{mark}", values)

    @property
    def here(self) -> Term:
        """The cell in the formula's own row."""
        return self._row(HERE, self.values)

    @property
    def next(self) -> Term:
        """The cell one row below; below the last row an empty cell, which counts as 0."""
        return self._row(NEXT, np.append(self.values[1:], 0.0))

    @property
    def previous(self) -> Term:
        """The cell one row above; of no use in the first row (see `Grid.add_recursion`)."""
        return self._row(PREVIOUS, np.append(np.nan, self.values[:-1]))

    def _range(self, first: int, last: int) -> Term:
        text = self.sheet.range(self.first + first, self.place, self.first + last, self.place)
        return Term(text, self.values[first : last + 1])

    @property
    def all(self) -> Term:
        """The whole column as a range."""
        return self._range(0, len(self.values) - 1)

    @property
    def starts(self) -> Term:
        """All rows but the last: the start of each cycle."""
        return self._range(0, len(self.values) - 2)

    @property
    def ends(self) -> Term:
        """All rows but the first: the end of each cycle."""
        return self._range(1, len(self.values) - 1)

    def at(self, row: int) -> Term:
        """One cell of the column, counted from 0."""
        return cell(self.sheet, self.first + row, self.place, float(self.values[row]))


@dataclass(slots=True)
class Grid:
    """Columns side by side over the same rows of a sheet."""

    sheet: Sheet
    rows: int
    first: int = GRID_ROW
    place: int = 0
    columns: dict[str, Column] = field(default_factory=dict)

    def add(self, key: str, heading: str, term: Term, style: Style, *, note: str = "") -> Column:
        """Add a column of one formula, the same in every row.

        Parameters
        ----------
        key : str
            Name under which `columns` keeps it.
        heading : str
            Column heading; say the unit.
        term : Term
            The formula, with a value per row or one for all.
        style : Style
        note : str, optional
            What it is, over the heading.
        """
        values = np.array(np.broadcast_to(np.asarray(term.value, dtype=float), (self.rows,)))
        return self._write(key, heading, term.text, values, style, note)

    def add_recursion(
        self,
        key: str,
        heading: str,
        step: Callable[[Term], Term],
        values: FloatArray,
        style: Style,
        *,
        start: Term | int = 1,
        at_start: Term,
        note: str = "",
    ) -> Column:
        """Add a column whose rows need the row above.

        Parameters
        ----------
        step : callable
            Given the cell above, the formula of a later row.
        values : array ``(row,)``
            The column's values, computed by the caller; they are checked against ``step``.
        start : Term or int
            Value of the first row.
        at_start : Term
            Condition that holds in the first row only.

        Raises
        ------
        ValueError
            When ``values`` are not what the formula gives.
        """
        column = Column(self.sheet, self.place, self.first, values)
        term = where(at_start, start, step(column.previous))
        found = np.broadcast_to(np.asarray(term.value, dtype=float), (self.rows,))
        if not np.allclose(found, values, rtol=1e-12, atol=1e-300):
            raise ValueError(f"{self.sheet.title}: {key} is not what its formula gives")
        return self._write(key, heading, term.text, values, style, note)

    def _write(
        self, key: str, heading: str, text: str, values: FloatArray, style: Style, note: str
    ) -> Column:
        sheet, place = self.sheet, self.place
        column = Column(sheet, place, self.first, values)
        heading_row = self.first + GRID_HEADING - GRID_ROW
        if note:
            sheet.text(heading_row - 1, place, note, Style("note", wrap=True))
        sheet.text(heading_row, place, heading, Style("header", align="right"))
        sheet.pattern_column(self.first, place, "=" + local(text, sheet), values, style)
        self.columns[key] = column
        self.place += 1
        return column

    def __getitem__(self, key: str) -> Column:
        return self.columns[key]
