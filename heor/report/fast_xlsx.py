"""Writing large sheets quickly: XlsxWriter's worksheet with columns of cells kept as columns.

XlsxWriter keeps an object per cell, prepares the text of each formula, and writes cell by cell. A
report has hundreds of thousands of formulas, most of them one formula down a column. Here such a
column is kept as its text and its numbers (a `Strip`), and the rows of neighbouring strips are
written from one template. The file is the same, byte for byte; a test compares them. One thing
differs: a formula that gives an empty text is stored as a text.

XlsxWriter's own methods are used for everything else. Overridden are ``_write_formula``,
``_xml_formula_element``, ``_prepare_formula``, ``_calculate_spans``, ``_write_rows`` and
``_get_range_data``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import Any

#: Marks of the number of the own row, the row above and the row below in a formula's text.
MARKS = HERE, PREVIOUS, NEXT = ("\x00", "\x01", "\x02")


def in_row(text: str, number: int) -> str:
    r"""Put row numbers in place of the marks; ``number`` is the own row's, counted from 1.

    Examples
    --------
    >>> in_row("A\x00+A\x01", 5)
    'A5+A4'
    """
    text = text.replace(HERE, str(number))
    if PREVIOUS in text:
        text = text.replace(PREVIOUS, str(number - 1))
    if NEXT in text:
        text = text.replace(NEXT, str(number + 1))
    return text


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Numbers or formulas below each other in one column, in one format.

    Parameters
    ----------
    first, column : int
        Place of the first cell, counted from 0.
    texts : str, sequence of str or None
        Formulas without ``=``: one with marks of the row, or one a cell; None for plain numbers.
    values : list of float
        The numbers, or the stored values of the formulas.
    format : Any
        XlsxWriter's format.
    """

    first: int
    column: int
    texts: str | Sequence[str] | None
    values: list[float]
    format: Any

    @property
    def last(self) -> int:
        """Row of the last cell."""
        return self.first + len(self.values) - 1

    def formula(self, row: int) -> str:
        """Text of the formula in a row."""
        assert self.texts is not None
        if isinstance(self.texts, str):
            return in_row(self.texts, row + 1)
        return self.texts[row - self.first]

    def template(self, letters: str) -> str:
        """XML of a cell with marks of the row, and ``%`` fields for `fields`."""
        start = f'<c r="{letters}{HERE}" s="{self.format._get_xf_index()}">'
        if self.texts is None:
            return f"{start}<v>%.16G</v></c>"
        text = _escaped(self.texts).replace("%", "%%") if isinstance(self.texts, str) else "%s"
        return f"{start}<f>{text}</f><v>%r</v></c>"

    def fields(self, first: int, last: int) -> Iterator[Sequence[object]]:
        """Columns of what fills the template in some rows."""
        part = slice(first - self.first, last + 1 - self.first)
        if not (self.texts is None or isinstance(self.texts, str)):
            yield [_escaped(text) for text in self.texts[part]]
        yield self.values[part]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(slots=True)
class _Segment:
    """Rows in which the same strips stand, from left to right."""

    first: int
    strips: Sequence[Strip]
    letters: Sequence[str]
    rows: Iterator[tuple[object, ...]]
    _template: str = ""
    _cells: dict[int, str] = field(default_factory=dict)

    def whole(self, row: int) -> str:
        """XML of all strips in the next row, where nothing stands between them."""
        if not self._template:
            self._template = "".join(self._cell(place) for place in range(len(self.strips)))
        return in_row(self._template, row + 1) % next(self.rows)

    def single(self, row: int) -> Iterator[tuple[int, Callable[[], str]]]:
        """Column of each strip's cell in the next row, and what makes its XML.

        It is made only when it is written, for the order of cells gives formats their numbers.
        """
        values = iter(next(self.rows))
        for place, strip in enumerate(self.strips):
            plain = strip.texts is None or isinstance(strip.texts, str)
            filled = (next(values),) if plain else (next(values), next(values))
            yield strip.column, partial(self._filled, place, row, filled)

    def _filled(self, place: int, row: int, values: tuple[object, ...]) -> str:
        return in_row(self._cell(place), row + 1) % values

    def _cell(self, place: int) -> str:
        # made when first written, for XlsxWriter numbers formats in the order of the cells
        if place not in self._cells:
            self._cells[place] = self.strips[place].template(self.letters[place])
        return self._cells[place]


@cache
def worksheet_class() -> Any:
    """XlsxWriter's worksheet, with strips and without its search for newer functions.

    XlsxWriter tries some thirty patterns of functions newer than Excel 2010 on every formula; no
    formula here uses one (a test sees to it).
    """
    from xlsxwriter.utility import xl_col_to_name
    from xlsxwriter.worksheet import CellFormulaTuple, CellNumberTuple, Worksheet

    class FastWorksheet(Worksheet):  # type: ignore[misc]  # xlsxwriter has no types
        def __init__(self) -> None:
            super().__init__()
            self.strips: list[Strip] = []

        def add_strip(self, strip: Strip) -> None:
            """Add cells; none of them may be written in another way."""
            if strip.values:
                self._check_dimensions(strip.first, strip.column)
                self._check_dimensions(strip.last, strip.column)
                self.strips.append(strip)

        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
            return formula.removeprefix("=")

        def _write_formula(
            self, row: int, col: int, formula: str, cell_format: Any = None, value: Any = 0
        ) -> int:
            if self._check_dimensions(row, col):
                return -1
            self.table[row][col] = CellFormulaTuple(formula.removeprefix("="), cell_format, value)
            return 0

        def _xml_formula_element(
            self, formula: str, result: object, attributes: Sequence[tuple[str, object]] = ()
        ) -> None:
            # XlsxWriter gives an empty text no type, as if no value were stored
            kind = [("t", "str")] if result == "" else []
            super()._xml_formula_element(formula, result, [*attributes, *kind])

        def _calculate_spans(self) -> None:
            """First and last column of each sixteen rows."""
            ends: dict[int, tuple[int, int]] = {}

            def add(block: int, first: int, last: int) -> None:
                low, high = ends.get(block, (first, last))
                ends[block] = (min(low, first), max(high, last))

            for cells in (self.table, self.comments):
                for row, columns in cells.items():
                    if columns:
                        add(row // 16, min(columns), max(columns))
            for strip in self.strips:
                for block in range(strip.first // 16, strip.last // 16 + 1):
                    add(block, strip.column, strip.column)
            self.row_spans = {b: f"{low + 1}:{high + 1}" for b, (low, high) in ends.items()}

        def _write_rows(self) -> None:
            if not self.strips:
                super()._write_rows()
                return
            self._calculate_spans()
            segments = {segment.first: segment for segment in self._segments()}
            segment = None
            for row in range(self.dim_rowmin, self.dim_rowmax + 1):
                segment = segments.get(row, segment)
                cells, info = self.table.get(row), self.row_info.get(row)
                span = self.row_spans.get(row // 16)
                if segment is not None and segment.strips:
                    self._write_row(row, span, info)
                    if cells:
                        self._write_mixed_row(row, cells, segment)
                    else:
                        self.fh.write(segment.whole(row))
                    self.fh.write("</row>")
                elif cells:
                    self._write_row(row, span, info)
                    for column in sorted(cells):
                        self._write_cell(row, column, cells[column])
                    self.fh.write("</row>")
                elif info is not None or row in self.comments:
                    self._write_empty_row(row, span, info)

        def _write_mixed_row(self, row: int, cells: dict[int, Any], segment: _Segment) -> None:
            others = sorted(cells)
            for column, make in segment.single(row):
                while others and others[0] < column:
                    self._write_cell(row, others[0], cells[others.pop(0)])
                if others and others[0] == column:
                    self._refuse(row, column)
                self.fh.write(make())
            for column in others:
                self._write_cell(row, column, cells[column])

        def _segments(self) -> Iterator[_Segment]:
            edges = {s.first for s in self.strips} | {s.last + 1 for s in self.strips}
            ordered = sorted(edges)
            for first, after in zip(ordered, [*ordered[1:], ordered[-1] + 1], strict=True):
                strips = [s for s in self.strips if s.first <= first <= s.last]
                strips.sort(key=lambda strip: strip.column)
                for one, other in pairwise(strips):
                    if one.column == other.column:
                        self._refuse(first, one.column)
                letters = [xl_col_to_name(strip.column) for strip in strips]
                fields = [f for strip in strips for f in strip.fields(first, after - 1)]
                yield _Segment(first, strips, letters, zip(*fields, strict=True))

        def _refuse(self, row: int, column: int) -> None:
            raise ValueError(f"{self.name}!{xl_col_to_name(column)}{row + 1} is written twice")

        def _get_range_data(
            self, row_start: int, col_start: int, row_end: int, col_end: int
        ) -> Any:
            """Values that a chart stores: strips are shown as cells meanwhile."""
            with self._as_cells(row_start, col_start, row_end, col_end):
                return super()._get_range_data(row_start, col_start, row_end, col_end)

        @contextmanager
        def _as_cells(
            self, row_start: int, col_start: int, row_end: int, col_end: int
        ) -> Iterator[None]:
            shown = []
            for strip in self.strips:
                if not col_start <= strip.column <= col_end:
                    continue
                for row in range(max(row_start, strip.first), min(row_end, strip.last) + 1):
                    if strip.column in self.table[row]:
                        self._refuse(row, strip.column)
                    value, form = strip.values[row - strip.first], strip.format
                    self.table[row][strip.column] = (
                        CellNumberTuple(value, form)
                        if strip.texts is None
                        else CellFormulaTuple(strip.formula(row), form, value)
                    )
                    shown.append((row, strip.column))
            yield
            for row, column in shown:
                del self.table[row][column]

    return FastWorksheet
