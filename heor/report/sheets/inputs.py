"""The input tables as sheets: the user's own columns, read back by ``heor run report.xlsx``.

Computed columns are headed ``calc: …``, which reading ignores.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from heor.report.sheets.layout import fit_height
from heor.report.xlsx import HEADER, Book, Sheet, Style, safe_names
from heor.spec.records import TableData
from heor.spec.schema import TABLES
from heor.spec.units import money_of

#: Rows of a narrow table on one printed page.
ROWS_PER_PAGE = 110

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMERIC_KINDS = ("number", "expression")
_NUMERIC_COLUMNS = ("value", "price_year", "year")
_MONEY_COLUMNS = ("value", "low", "high", "se")
_LONG = ("note", "citation", "label", "purpose", "parameters", "source", "url", "amount", "value")
_WIDEST = {"note": 60, "citation": 80, "url": 46, "purpose": 50, "parameters": 34, "label": 38}


def typed(text: str) -> float | str:
    """Give a cell's text as a number where it is one and nothing is lost by storing it as one.

    Examples
    --------
    >>> typed("0.50"), typed("3%"), typed("007"), typed("-2")
    (0.5, '3%', '007', -2.0)
    """
    if not _NUMBER.fullmatch(text) or not text.strip("-"):
        return text
    number = float(text)
    return number if np.isfinite(number) and float(f"{number:.16G}") == number else text


def write_table(book: Book, table: TableData) -> Sheet:
    """Add a sheet with an input table: heading in row 1, numbers as numbers, texts as texts."""
    sheet = book.sheet(table.name)
    kinds = _kinds(table)
    money = _money_rows(table)
    for column, name in enumerate(table.columns):
        sheet.text(0, column, name, HEADER)
        numeric = _is_numeric(table, name)
        for row, texts in enumerate(table.rows, start=1):
            value = typed(texts[column]) if numeric else texts[column]
            if value != "":
                separate = row in money and name in _MONEY_COLUMNS
                style = _style(name, kinds[name], value, separate)
                sheet.cell(row, column, value, style if column else replace(style, indent=0))
    _add_choices(sheet, table)
    widths = [_width(table, column) for column in range(len(table.columns))]
    sheet.widths(widths)
    for row, texts in enumerate(table.rows, start=1):
        cells = zip(table.columns, texts, widths, strict=True)
        fit_height(sheet, row, [(text, width) for name, text, width in cells if name in _LONG])
    sheet.freeze(1, 0 if len(table.columns) < 6 else 1)
    pages = -(-len(table.rows) // ROWS_PER_PAGE) if sum(widths) < 120 else 0
    sheet.print_setup(repeat=(0, 0), pages=pages, grid=True, large=sum(widths) > 160)
    return sheet


def cell_value(table: TableData, column: str, text: str) -> float | str:
    """Give what a cell of a table's sheet holds: a number where the column takes numbers."""
    return typed(text) if _is_numeric(table, column) else text


def _is_numeric(table: TableData, column: str) -> bool:
    return _kinds(table)[column] in _NUMERIC_KINDS or column in _NUMERIC_COLUMNS


def calc_place(table: TableData) -> int:
    """Column, from 0, of the first ``calc:`` column of a table's sheet."""
    return len(table.columns)


def column_of(table: TableData, name: str) -> int:
    """Place of a column, from 0."""
    return table.columns.index(name)


def _column(table: TableData, name: str) -> list[str]:
    index = table.columns.index(name)
    return [row[index] for row in table.rows]


def _kinds(table: TableData) -> dict[str, str]:
    schema = TABLES.get(table.name)
    known = {c.name: c.kind for c in schema.columns} if schema else {}
    other = "number" if schema is not None and schema.open_columns else "text"
    return {name: known.get(name, other) for name in table.columns}


def _money_rows(table: TableData) -> set[int]:
    """Sheet rows whose unit is money, for thousands separators."""
    if "unit" not in table.columns:
        return set()
    return {row for row, unit in enumerate(_column(table, "unit"), start=1) if money_of(unit)}


def _style(name: str, kind: str, value: float | str, money: bool) -> Style:
    if name == "value" and kind == "text":
        return Style("input", wrap=True, indent=1)
    if isinstance(value, str):
        formula = kind in ("expression", "expressions")
        return Style("input" if formula else "label", wrap=name in _LONG, indent=1)
    whole = money and abs(value) >= 1000 and value == round(value)
    return Style("input", unit="count" if whole else "", align="right")


def _width(table: TableData, column: int) -> float:
    name = table.columns[column]
    longest = max((len(row[column]) for row in table.rows), default=0)
    widest = 56 if table.name == "settings" and name == "value" else _WIDEST.get(name, 24)
    return float(max(min(longest, widest), min(len(name), 16), 5) + 2)


def _add_choices(sheet: Sheet, table: TableData) -> None:
    schema = TABLES.get(table.name)
    for column in schema.columns if schema is not None else ():
        if column.choices and column.name in table.columns and table.rows:
            place = table.columns.index(column.name)
            sheet.choices(1, len(table.rows), place, column.choices, column.name)


def number_unit(value: float, unit: str) -> str:
    """Number format of a value in a unit."""
    if money_of(unit):
        return "money_cents"
    return "" if value == round(value) else "number"


def parameter_names(table: TableData) -> dict[str, str]:
    """Defined name of each parameter id; see `heor.report.xlsx.safe_names`."""
    return safe_names(_column(table, "id"))
