"""The xlsx adapter: the one place that knows XlsxWriter.

It keeps the rules that every sheet must follow: a formula is stored with its value, user text is
never a formula, no NaN or infinity reaches a cell, sheet titles and defined names are safe, colours
tell inputs from formulas and pasted values, and the file appears whole or not at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heor.errors import HeorError
from heor.report.fast_xlsx import Strip, in_row, worksheet_class
from heor.report.files import CannotWrite, staged
from heor.report.sheet_view import SheetView
from heor.spec.parameters import FloatArray

#: Largest sheet that Excel opens.
MAX_ROWS = 1_048_576
MAX_FORMULA = 8_192
MAX_TEXT = 32_767
MAX_TITLE = 31
#: Longest formula of a data validation.
MAX_CONDITION = 250

#: Number formats by unit.
NUMBER_FORMATS: Mapping[str, str] = {
    "": "General",
    "money": "#,##0;-#,##0;0",
    "money_cents": "#,##0.00;-#,##0.00;0",
    "proportion": "0.0%",
    "percent_fine": "0.000%",
    "share": "0.000",
    "utility": "0.000",
    "qaly": "0.000;-0.000;0.000",
    "year": "0.000",
    "month": "0.00",
    "count": "#,##0",
    "number": "0.0000",
    "ratio": "0.00",
    "integer": "0",
    "tiny": "0.0E+00",
    "years_after": 'General" y"',
}

_FONTS: Mapping[str, str] = {
    "input": "#0000FF",
    "formula": "#000000",
    "link": "#006100",
    "value": "#595959",
    "label": "#000000",
    "note": "#595959",
    "warning": "#9C0006",
    "warning_text": "#9C0006",
    "header": "#FFFFFF",
    "title": "#1F3864",
}
_FILLS: Mapping[str, str] = {"input": "#FFFBEB", "header": "#1F3864", "warning": "#FFE7E7"}


@dataclass(frozen=True, slots=True)
class Style:
    """How a cell looks: a role (which sets its colour) and a unit (its number format)."""

    role: str = "label"
    unit: str = ""
    bold: bool = False
    wrap: bool = False
    total: bool = False
    align: str = ""
    size: int = 0
    quote: bool = False
    indent: int = 0

    def properties(self) -> dict[str, Any]:
        """Give XlsxWriter's format properties."""
        found: dict[str, Any] = {
            "font_name": "Calibri",
            "font_size": self.size or 10,
            "font_color": _FONTS[self.role],
            "valign": "top",
        }
        if self.unit:
            found["num_format"] = NUMBER_FORMATS[self.unit]
        if self.role in _FILLS:
            found["bg_color"] = _FILLS[self.role]
        if self.role == "header":
            found |= {"bold": True, "text_wrap": True, "valign": "vcenter"}
            # a white line keeps headings side by side apart
            found |= {"left": 1, "left_color": "#FFFFFF"}
        if self.role == "title":
            found["bold"] = True
        if self.bold or self.total:
            found["bold"] = True
        if self.total:
            found["top"] = 1
        if self.wrap:
            found["text_wrap"] = True
        if self.align:
            found["align"] = self.align
        if self.indent:
            found |= {"align": "left", "indent": self.indent}
        if self.quote:
            found["quote_prefix"] = True
        return found


LABEL = Style()
BOLD = Style(bold=True)
WRAP = Style(wrap=True)
NOTE = Style("note")
HEADER = Style("header")
TITLE = Style("title", size=15)
HEADING = Style("title", size=12)
WARNING = Style("warning", wrap=True)
#: Text that follows a column of numbers, and the heading of its column.
AFTER = Style(indent=1)
AFTER_WRAP = Style(wrap=True, indent=1)
AFTER_HEADER = Style("header", indent=1)


def column_letter(column: int) -> str:
    """Name of a column counted from 0: 0 -> A, 26 -> AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def cell_name(row: int, column: int, *, absolute: bool = False) -> str:
    """Address of a cell counted from 0: (0, 0) -> A1, absolute $A$1."""
    mark = "$" if absolute else ""
    return f"{mark}{column_letter(column)}{mark}{row + 1}"


def range_name(first_row: int, first_column: int, last_row: int, last_column: int) -> str:
    """Absolute address of a range counted from 0."""
    first = cell_name(first_row, first_column, absolute=True)
    last = cell_name(last_row, last_column, absolute=True)
    return f"{first}:{last}"


def quote_title(title: str) -> str:
    """Sheet title as a formula writes it, always in quotation marks."""
    return "'" + title.replace("'", "''") + "'"


def safe_title(wanted: str, taken: Iterable[str] = ()) -> str:
    """Sheet title that Excel accepts and that no other sheet has, at most 31 characters.

    Characters Excel refuses become ``-``; a title already taken, whatever its case, gets a number.
    """
    base = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "-", wanted).strip().strip("'").strip() or "Sheet"
    if base.casefold() == "history":
        base += "-"
    used = {title.casefold() for title in taken}
    title, number = base[:MAX_TITLE].strip(), 1
    while title.casefold() in used:
        number += 1
        mark = f" {number}"
        title = base[: MAX_TITLE - len(mark)].strip() + mark
    return title


_CELL_LIKE = re.compile(r"[a-z]{1,3}[0-9]+")
_R1C1_LIKE = re.compile(r"r[0-9]*(c[0-9]*)?|c[0-9]*")
_RESERVED = frozenset(("true", "false", "print_area", "print_titles"))


def name_is_safe(name: str) -> bool:
    """Whether Excel and LibreOffice read a name as a name and not as a cell or a constant."""
    low = name.casefold()
    return (
        re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
        and len(name) <= 255
        and not low.startswith("_xl")
        and low not in _RESERVED
        and _CELL_LIKE.fullmatch(low) is None
        and _R1C1_LIKE.fullmatch(low) is None
    )


def safe_names(ids: Sequence[str]) -> dict[str, str]:
    """Give each parameter id a defined name; ids that are safe keep theirs.

    An id that reads as a cell (``c1``, ``HR1``, ``os24``), an R1C1 reference (``r``, ``C``) or a
    constant gets ``_`` at its end. Names differ in more than case: a clash gets a number.
    """
    names: dict[str, str] = {}
    taken = {identifier.casefold() for identifier in ids if name_is_safe(identifier)}
    kept: set[str] = set()
    for identifier in ids:
        name = identifier
        if not name_is_safe(name) or name.casefold() in kept:
            base = re.sub(r"[^A-Za-z0-9_]", "_", identifier)[:240] + "_"
            if not name_is_safe(base):
                base = "p_" + base
            name, number = base, 1
            while name.casefold() in taken or name.casefold() in kept:
                number += 1
                name = f"{base}{number}"
        kept.add(name.casefold())
        names[identifier] = name
    return names


class Book:
    """A workbook in the making; `writing` makes one and puts the whole file in its place."""

    def __init__(self, path: Path, properties: Mapping[str, str] | None = None) -> None:
        import xlsxwriter

        self._book = xlsxwriter.Workbook(str(path), {"in_memory": True})
        self._book.set_properties(dict(properties or {}))
        self._worksheet = worksheet_class()
        self._formats: dict[Style, Any] = {}
        self._reserved: set[str] = set()
        self.sheets: dict[str, Sheet] = {}

    def save(self) -> None:
        """Write the file."""
        if self._reserved:
            raise ValueError(f"sheets without content: {', '.join(sorted(self._reserved))}")
        self._book.close()

    def format(self, style: Style) -> Any:
        """Give XlsxWriter's format of a style, one object per style."""
        if style not in self._formats:
            self._formats[style] = self._book.add_format(style.properties())
        return self._formats[style]

    def reserve(self, title: str) -> str:
        """Keep the next place for a sheet that is filled later; give its safe title."""
        safe = self._add(title).title
        self._reserved.add(safe)
        return safe

    def sheet(self, title: str) -> Sheet:
        """Give the sheet reserved under a title, or else add one; titles are safe and unique."""
        if title in self._reserved:
            self._reserved.remove(title)
            return self.sheets[title]
        return self._add(title)

    def _add(self, title: str) -> Sheet:
        safe = safe_title(title, self.sheets)
        sheet = Sheet(self, safe, self._book.add_worksheet(safe, self._worksheet))
        self.sheets[safe] = sheet
        return sheet

    def define_name(self, name: str, sheet: Sheet, row: int, column: int) -> None:
        """Name a cell. The name must be safe (see `safe_names`)."""
        if not name_is_safe(name):
            raise ValueError(f"{name!r} is not a safe defined name")
        self._book.define_name(name, f"={sheet.ref(row, column)}")

    def add_chart(self, options: dict[str, str]) -> Any:
        """Make a native chart that a sheet can place."""
        return self._book.add_chart(options)


@contextmanager
def writing(path: Path, properties: Mapping[str, str] | None = None) -> Iterator[Book]:
    """Give a workbook that is written to ``path`` when the block ends well, whole or not at all.

    A file that was there before stays until then, and stays for good when the block raises.

    Raises
    ------
    HeorError
        When the file cannot be written, for example because Excel has it open.
    """
    from xlsxwriter.exceptions import XlsxWriterException

    path = Path(path)
    with staged(path.parent) as stage:
        book = Book(stage / path.name, properties)
        yield book
        try:
            book.save()
        except (OSError, XlsxWriterException) as error:
            raise CannotWrite(f"cannot write {path}: {error}.") from error


class Sheet(SheetView):
    """One sheet: cells are addressed by row and column counted from 0."""

    def __init__(self, book: Book, title: str, sheet: Any) -> None:
        self.book = book
        self.title = title
        self._sheet = sheet

    def ref(self, row: int, column: int) -> str:
        """Absolute reference to a cell, with the sheet."""
        return f"{quote_title(self.title)}!{cell_name(row, column, absolute=True)}"

    def range(self, first_row: int, first_col: int, last_row: int, last_col: int) -> str:
        """Absolute reference to a range, with the sheet."""
        return f"{quote_title(self.title)}!{range_name(first_row, first_col, last_row, last_col)}"

    def _check(self, row: int, column: int, value: float) -> float:
        number = float(value)
        if not math.isfinite(number):
            raise HeorError(
                f"sheet {self.title}, cell {cell_name(row, column)}: the value is {number}; "
                "only finite numbers can be stored in a workbook"
            )
        return number

    def text(self, row: int, column: int, text: str, style: Style = LABEL) -> None:
        """Write text, never as a formula, a link or a number."""
        if len(text) > MAX_TEXT:
            raise HeorError(
                f"sheet {self.title}, cell {cell_name(row, column)}: the text has {len(text):,} "
                f"characters; Excel allows {MAX_TEXT:,}"
            )
        if text[:1] in ("=", "+", "-", "@"):
            style = replace(style, quote=True)
        if text:
            self._sheet.write_string(row, column, text, self.book.format(style))
        else:
            self._sheet.write_blank(row, column, None, self.book.format(style))

    def number(self, row: int, column: int, value: float, style: Style) -> None:
        """Write a finite number."""
        self._sheet.write_number(
            row, column, self._check(row, column, value), self.book.format(style)
        )

    def formula(
        self, row: int, column: int, formula: str, value: float | str, style: Style
    ) -> None:
        """Write a formula (with its ``=``) and the value it has now."""
        self._formula_text(row, column, formula)
        stored: float | str = value if isinstance(value, str) else self._check(row, column, value)
        self._sheet.write_formula(row, column, formula, self.book.format(style), stored)

    def cell(self, row: int, column: int, value: float | str | None, style: Style) -> None:
        """Write a number, a text, or for None an empty cell in the style."""
        if value is None:
            self._sheet.write_blank(row, column, None, self.book.format(style))
        elif isinstance(value, str):
            self.text(row, column, value, style)
        else:
            self.number(row, column, value, style)

    def row(self, row: int, column: int, values: Sequence[str], style: Style = HEADER) -> None:
        """Write texts side by side."""
        for offset, text in enumerate(values):
            self.text(row, column + offset, text, style)

    def block(
        self,
        row: int,
        column: int,
        values: FloatArray | NDArray[np.int64],
        styles: Sequence[Style],
    ) -> None:
        """Write an array ``(row, column)`` of numbers, one style per column."""
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            first = bad[0]
            self._check(row + int(first[0]), column + int(first[1]), float(values[tuple(first)]))
        for place, (numbers, style) in enumerate(zip(values.T, styles, strict=True)):
            self._strip(row, column + place, None, numbers, style)

    def formula_column(
        self, row: int, column: int, formulas: Iterable[str], values: FloatArray, style: Style
    ) -> None:
        """Write formulas below each other with their values ``(row,)``."""
        self._check_column(row, column, values)
        texts = [self._formula_text(row, column, formula) for formula in formulas]
        if len(texts) != len(values):
            raise ValueError(f"{self.title}: {len(texts)} formulas and {len(values)} values")
        self._strip(row, column, texts, values, style)

    def pattern_column(
        self, row: int, column: int, formula: str, values: FloatArray, style: Style
    ) -> None:
        """Write one formula, with marks of the row, below each other with its values ``(row,)``.

        The marks are those of `heor.report.fast_xlsx.in_row`.
        """
        self._check_column(row, column, values)
        self._formula_text(row, column, in_row(formula, row + len(values)))
        self._strip(row, column, formula.removeprefix("="), values, style)

    def _check_column(self, row: int, column: int, values: FloatArray) -> None:
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            self._check(row + int(bad[0]), column, float(values[bad[0]]))

    def _formula_text(self, row: int, column: int, formula: str) -> str:
        """Formula without its ``=``."""
        if not formula.startswith("=") or len(formula) > MAX_FORMULA:
            raise ValueError(f"{self.title}!{cell_name(row, column)}: not a formula: {formula!r}")
        return formula[1:]

    def _strip(
        self,
        row: int,
        column: int,
        texts: str | Sequence[str] | None,
        values: FloatArray | NDArray[np.int64],
        style: Style,
    ) -> None:
        form = self.book.format(style)
        self._sheet.add_strip(Strip(row, column, texts, values.tolist(), form))

    def link(self, row: int, column: int, sheet_title: str, text: str) -> None:
        """Write a link to the first cell of another sheet of this workbook."""
        form = self.book.format(Style("link"))
        self._sheet.write_url(
            row, column, f"internal:{quote_title(sheet_title)}!A1", form, string=text
        )

    def merge(self, row: int, column: int, last_column: int, text: str, style: Style) -> None:
        """Write a text over several columns of one row (outside calculation areas only)."""
        self._sheet.merge_range(row, column, row, last_column, "", self.book.format(style))
        self.text(row, column, text, style)
