"""What is written to tables is what is read from them, whatever the texts and numbers."""

from __future__ import annotations

import csv
import re
import tempfile
from pathlib import Path

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from heor.spec.records import TableData
from heor.spec.tables import input_hash, read_tables
from heor.spec.values import number

COLUMNS = ("id", "label", "note")


def _kept(text: str) -> bool:
    """Leave out what a table may not hold: comments, leading `=`, errors of a spreadsheet."""
    spoiled = text.startswith(("=", "# ", "#")) or re.match(r"Err:\d|_x[0-9A-Fa-f]{4}_", text)
    return text == text.strip() and not spoiled


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
).filter(_kept)
numbers = st.floats(allow_nan=False, allow_infinity=False).map(repr)
cells = st.one_of(texts, numbers)
rows = st.lists(st.tuples(texts.filter(bool), cells, cells), min_size=1, max_size=5).map(tuple)


def _tables(found: tuple[tuple[str, ...], ...]) -> dict[str, TableData]:
    return {"strategies": TableData(name="strategies", columns=COLUMNS, rows=found)}


@given(rows)
@settings(max_examples=150, deadline=None)
def test_csv_gives_back_what_was_written(found: tuple[tuple[str, ...], ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "strategies.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *found])

        assert read_tables(folder) == _tables(found)


@given(rows)
@settings(max_examples=40, deadline=None)
def test_workbook_gives_back_what_was_written(found: tuple[tuple[str, ...], ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book = openpyxl.Workbook()
        book.worksheets[0].title = "strategies"
        for row in (COLUMNS, *found):
            book.worksheets[0].append([text or None for text in row])
        path = Path(folder) / "study.xlsx"
        book.save(path)

        assert read_tables(path) == _tables(found)


@given(rows)
def test_hash_does_not_see_the_order_of_columns_but_that_of_rows(
    found: tuple[tuple[str, ...], ...],
) -> None:
    turned = TableData(
        name="strategies", columns=COLUMNS[::-1], rows=tuple(row[::-1] for row in found)
    )
    assert input_hash({"strategies": turned}) == input_hash(_tables(found))
    if found[::-1] != found:
        assert input_hash(_tables(found[::-1])) != input_hash(_tables(found))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_exactly(value: float) -> None:
    assert number(repr(value)) == value
