"""What one reading of a study collects: problems, warnings, and the cells it can trust."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from heor.errors import Place, Problem
from heor.spec.expressions import Expression, ExpressionError, constant, parse
from heor.spec.parameters import FloatArray
from heor.spec.tables import Row, Table, did_you_mean
from heor.spec.values import CellError, is_number, number, spoiled_number, yes_no

T = TypeVar("T")

#: The word that a `source` may hold instead of a key of `references`.
ASSUMPTION = "assumption"
#: Characters of a cell that a message quotes.
LONGEST_QUOTE = 60


@dataclass(slots=True)
class Reading:
    """The tables of one study while it is read, and what was found wrong with them.

    Tables that a problem was found in are in ``broken``, so that a check over whole tables
    does not report what only follows from a broken cell; those that could not be read at all are
    in ``unread`` too, so that nothing that refers to them is called unknown.
    """

    tables: Mapping[str, Table]
    root: Place
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    parameter_ids: frozenset[str] = frozenset()
    reference_keys: frozenset[str] = frozenset()

    def rows(self, table: str) -> tuple[Row, ...]:
        """Rows of a table; none where the study lacks it."""
        found = self.tables.get(table)
        return found.rows if found else ()

    def problem(self, place: Place, message: str, table: str = "") -> None:
        """Note a problem; ``table`` is then no longer trusted as a whole."""
        self.problems.append(Problem(place, message))
        if table:
            self.broken.add(table)

    def warn(self, place: Place, message: str) -> None:
        """Note something worth a look."""
        self.warnings.append(Problem(place, message))


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the cells of one row; what is wrong goes to the `Reading`.

    ``name`` opens every message, so that the row can be found by its id as well.
    """

    reading: Reading
    table: str
    row: Row
    name: str

    def problem(self, column: str, message: str) -> None:
        """Report a problem with a column of this row."""
        place = self.row[column].place if column else self.row.place
        if column and not place.column:
            place = in_column(place, column)
        text = f"{self.name}: {message}" if self.name else message
        self.reading.problem(place, text, self.table)

    def has(self, column: str) -> bool:
        """Whether the table has the column; one that is missing has been reported."""
        return column in self.reading.tables[self.table].columns

    def spoiled(self, column: str) -> bool:
        """Whether a cell that should hold a number does not; that has been reported."""
        cell = self.row[column]
        return cell.broken or bool(cell.text and not is_number(cell.text))

    def text(self, column: str, *, required: bool = False) -> str:
        """Text of a cell, blank where there is none."""
        cell = self.row[column]
        if required and not cell.text and not cell.broken and self.has(column):
            self.problem(column, f"`{column}` is blank")
        if cell.broken:
            self.reading.broken.add(self.table)
        return cell.text

    def parsed(self, column: str, read: Callable[[str], T], *, required: bool = False) -> T | None:
        """Read a cell by a function that raises `CellError`; None when blank or wrong."""
        text = self.text(column, required=required)
        if not text:
            return None
        try:
            return read(text)
        except CellError as error:
            self.problem(column, str(error))
            return None

    def number(self, column: str, *, required: bool = False) -> float | None:
        """Read a plain number."""
        return self.parsed(column, number, required=required)

    def yes_no(self, column: str) -> bool:
        """Read a mark; blank is no."""
        return bool(self.parsed(column, yes_no))

    def expression(self, column: str, *, required: bool = False) -> Expression | None:
        """Read a number or a formula over known parameter ids."""
        text = self.text(column, required=required)
        return self.formula(column, text) if text else None

    def formula(self, column: str, text: str) -> Expression | None:
        """Read a formula that stands, perhaps with others, in a column."""
        try:
            expression = read_expression(text)
        except CellError as error:
            self.problem(column, str(error))
            return None
        for message in expression.warnings:
            self.reading.warn(self.row[column].place, f"{self.name}: {message}")
        unknown = [n for n in expression.names if n not in self.reading.parameter_ids]
        for name in unknown if "parameters" not in self.reading.unread else ():
            hint = did_you_mean(name, self.reading.parameter_ids)
            self.problem(column, f"`{name}` is not a parameter{hint}")
        if unknown:
            self.reading.broken.add(self.table)
        return None if unknown else expression

    def expressions(self, column: str) -> dict[str, Expression]:
        """Read named expressions, ``shape=a; scale=b``."""
        texts = self.named(column).items()
        read = {name: self.formula(column, text) for name, text in texts}
        return {name: expression for name, expression in read.items() if expression is not None}

    def named(self, column: str) -> dict[str, str]:
        """Read named texts, ``scale=odds; gamma0=a``."""
        found: dict[str, str] = {}
        for part in self.text(column).split(";"):
            name, equals, text = (piece.strip() for piece in part.partition("="))
            if not part.strip():
                continue
            if not equals or not name.isidentifier() or not text:
                self.problem(column, f"found {part.strip()!r}; write `name=value`, `;` between")
            elif name in found:
                self.problem(column, f"`{name}` is given twice")
            else:
                found[name] = text
        return found

    def one_of(
        self,
        column: str,
        choices: Iterable[str],
        what: str,
        *,
        required: bool = False,
        of: tuple[str, ...] = (),
    ) -> str:
        """Read a word of a closed list; blank when it is not in the list.

        Nothing is said where the list comes from a table (``of``) that could not be read.
        """
        text = self.text(column, required=required)
        choices = tuple(choices)
        if not text or text in choices:
            return text
        if self.reading.unread & set(of):
            self.reading.broken.add(self.table)
            return ""
        hint = did_you_mean(text, choices)
        if not hint and len(choices) <= 12:
            hint = "; allowed: " + (", ".join(choices) or "none")
        self.problem(column, f"`{text}` is not {what}{hint}")
        return ""

    def source(self, *, required: bool = False) -> str:
        """Read the keys of `references` (or ``assumption``) in the column ``source``."""
        text = self.text("source")
        if not text and required and self.has("source") and not self.row["source"].broken:
            self.problem("source", "no source; write a key from references or `assumption`")
        for key in (part.strip() for part in text.split(";")):
            known = key == ASSUMPTION or key in self.reading.reference_keys
            if key and not known and "references" not in self.reading.unread:
                hint = did_you_mean(key, [*self.reading.reference_keys, ASSUMPTION])
                self.problem("source", f"`{key}` is not a key in references{hint}")
        return text


def shortened(text: str) -> str:
    """Quote a cell, cut to `LONGEST_QUOTE` characters."""
    return repr(text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…")


def not_finite(name: str, text: str, value: float) -> str:
    """Say that a formula gives no finite number."""
    return f"{name}: {shortened(text)} is not a finite number at the base case ({value})"


def read_expression(text: str) -> Expression:
    """Read a number or formula; raises `CellError` for one that a spreadsheet spoiled."""
    if is_number(text):
        return constant(number(text))
    spoiled = spoiled_number(text)
    if spoiled:
        raise CellError(spoiled)
    try:
        return parse(text)
    except ExpressionError as error:
        raise CellError(f"in the formula {shortened(text)}: {error}") from None


def evaluate(expression: Expression, values: Mapping[str, FloatArray]) -> float | None:
    """Value at the base case; None when a parameter it uses has no value."""
    names = expression.names
    if not names:
        return expression.number
    if any(name not in values for name in names):
        return None
    return float(expression.evaluate(values, 1)[0])


def as_values(numbers: Mapping[str, float]) -> dict[str, FloatArray]:
    """Base values as one-row arrays, as expressions take them; infinite ones and NaN are out."""
    return {name: np.array([x]) for name, x in numbers.items() if math.isfinite(x)}


def in_column(place: Place, column: str) -> Place:
    """Place of a column in the row of a record."""
    return dataclasses.replace(place, column=column)
