"""Terms that look things up, join texts and count shares of cycles, for the calculation sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from heor.report.live import Column, Term, cells, largest, literal, smallest, sum_of_products, words
from heor.report.xlsx import Sheet

#: Terms of one sum before it is cut into brackets, so that no formula is an endless chain.
_CHAIN = 8


def index(area: Term, position: Term) -> Term:
    """``INDEX`` of a range, counted from 1; for a column of positions, row by row.

    A place outside the range is an error in a spreadsheet; its value here is not a number, for
    formulas that do not use it.
    """
    text = f"INDEX({area.text},{position.text})"
    places = np.asarray(position.value, dtype=float)
    if places.ndim:
        return Term(text, np.asarray(area.value, dtype=float)[places.astype(int) - 1])
    inside = 1 <= places <= len(area.value)
    return Term(text, area.value[int(places) - 1] if inside else np.nan)


def cell_of(area: Term, place: int) -> Term:
    """Give one cell of a range of one column, counted from 0, as a direct reference."""
    sheet, cells_ = area.text.rsplit("!", 1)
    _, column, row = cells_.split(":")[0].split("$")
    return Term(f"{sheet}!${column}${int(row) + place}", area.value[place])


def match(wanted: Term, area: Term) -> Term:
    """Position, from 1, of the first cell of a range that equals a number; see `index`."""
    places = np.flatnonzero(np.asarray(area.value, dtype=float) == float(wanted.value))
    found = float(places[0] + 1) if len(places) else np.nan
    return Term(f"MATCH({wanted.text},{area.text},0)", found)


def row_of_text(area: Term, wanted: Term) -> Term:
    """Position, from 1, of the one cell of a range that holds a text to the letter.

    ``MATCH`` takes ``a`` for ``A``. None or several is an error in a spreadsheet.
    """
    places = np.flatnonzero(np.asarray(area.value) == wanted.value)
    first = cell_of(area, 0).text
    same = same_text(area, wanted).text
    text = f"SUMPRODUCT({same}*(ROW({area.text})-ROW({first})+1))/(SUMPRODUCT(1*{same})=1)"
    return Term(text, float(places[0] + 1) if len(places) == 1 else np.nan, 1)


def joined(*parts: Term | str) -> Term:
    """Texts side by side."""
    terms = [words(part) if isinstance(part, str) else part for part in parts]
    # read as an addition: whatever compares with it needs no brackets
    return Term("&".join(t.text for t in terms), "".join(str(t.value) for t in terms), 1)


def whole_number(number: Term) -> Term:
    """Give a number as text without decimals, in groups of three digits."""
    return Term(f"FIXED({number.text},0)", f"{float(number.value):,.0f}")


def same_text(area: Term, wanted: Term) -> Term:
    """``EXACT``: which cells of a range hold a text, to the letter."""
    found = np.array([text == wanted.value for text in area.value])
    return Term(f"EXACT({area.text},{wanted.text})", found)


def largest_of(area: Term) -> Term:
    """``MAX`` of a range; texts do not count, and without numbers it is 0."""
    numbers = [v for v in area.value if not isinstance(v, str)]
    return Term(f"MAX({area.text})", float(max(numbers, default=0.0)))


def smallest_of(area: Term) -> Term:
    """``MIN`` of a range; texts do not count, and without numbers it is 0."""
    numbers = [v for v in area.value if not isinstance(v, str)]
    return Term(f"MIN({area.text})", float(min(numbers, default=0.0)))


def sum_of(terms: Sequence[Term]) -> Term | None:
    """Terms added, in brackets of a few; None for no terms."""
    if not terms:
        return None
    groups = [reduce(Term.__add__, terms[i : i + _CHAIN]) for i in range(0, len(terms), _CHAIN)]
    if len(groups) == 1:
        return groups[0]
    bracketed = [Term(f"({group.text})", group.value) for group in groups]
    return sum_of(bracketed)


def window_share(time: Column, cycle: Term, *windows: tuple[Term, Term]) -> Term:
    """Share of each cycle that lies inside every one of some windows [from, until)."""
    lower, upper = time.here, time.here + cycle
    for start, until in windows:
        lower, upper = largest(lower, start), smallest(upper, until)
    return largest(0, smallest(1, (upper - lower) / cycle))


def until_year(time: Column, cycle: Term, year: Term, by_cycle: Column) -> Term:
    """Sum of a column over cycles up to a year; of the cycle it cuts, the part before it."""
    starts, ends = time.starts, time.ends
    share = (ends <= year) + (starts < year) * (ends > year) * (year - starts) / cycle
    product = share * by_cycle.starts
    return Term(f"SUMPRODUCT({product.text})", float(np.sum(product.value)))


@dataclass(slots=True)
class SummedRows:
    """A table of rows that are summed by what stands in their columns of text."""

    sheet: Sheet
    first: int
    places: dict[str, int]
    values: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, key: str, value: str | float) -> None:
        """Keep the value of the next row of a column."""
        self.values.setdefault(key, []).append(value)

    def sum(self, key: str, **where: Term) -> Term:
        """Sum of a column over the rows whose texts are those of some cells."""
        if key not in self.values:
            return literal(0)
        product = self._range(key)
        for name, wanted in where.items():
            product = same_text(self._range(name), wanted) * product
        return sum_of_products(product)

    def _range(self, key: str) -> Term:
        values, place = self.values[key], self.places[key]
        last = self.first + len(values) - 1
        return cells(self.sheet, self.first, place, last, place, np.array(values))


__all__ = [
    "SummedRows",
    "cell_of",
    "index",
    "joined",
    "largest_of",
    "match",
    "row_of_text",
    "same_text",
    "smallest_of",
    "sum_of",
    "until_year",
    "whole_number",
    "window_share",
]
