"""``Calc Constants``: the only place where formulas of the workbook take plain numbers from."""

from __future__ import annotations

import re

from heor.report.live import Term
from heor.report.xlsx import HEADER, NOTE, TITLE, Sheet, Style

CONSTANTS = "Calc Constants"

_FIRST = 4

#: A number in a formula's text that is no part of a name, a cell address or a text.
_NUMBER = re.compile(r"(?<![\w.$!'\"])(\d+\.?\d*(?:[eE][+-]?\d+)?)(?![\w.!'(\"])")


class Constants:
    """Numbers in cells of their own, each written once, with its meaning beside it."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._rows: dict[float, int] = {}
        sheet.text(0, 0, "Constants", TITLE)
        note = "Numbers that formulas of this workbook use; none of them is an input."
        sheet.text(1, 0, note, NOTE)
        sheet.row(_FIRST - 1, 0, ("Meaning", "Value"), HEADER)
        sheet.widths((70, 22))
        sheet.freeze(_FIRST)
        sheet.print_setup(pages=1)

    def term(self, value: float, meaning: str) -> Term:
        """Give the cell of a number; the first meaning given to a number stays beside it."""
        number = float(value)
        if number not in self._rows:
            row = _FIRST + len(self._rows)
            self._rows[number] = row
            self._sheet.text(row, 0, meaning)
            self._sheet.number(row, 1, number, Style("value"))
        return Term(self._sheet.ref(self._rows[number], 1), number)

    def lift(self, formula: str, meaning: str) -> str:
        """Replace the numbers of a formula's text, other than 0 and 1, by their cells.

        Texts in quotation marks are left alone.
        """

        def cell(match: re.Match[str]) -> str:
            if float(match[1]) in (0.0, 1.0):
                return match[0]
            return self.term(float(match[1]), meaning).text

        parts = re.split(r'("(?:[^"]|"")*")', formula)
        parts[::2] = [_NUMBER.sub(cell, part) for part in parts[::2]]
        return "".join(parts)
