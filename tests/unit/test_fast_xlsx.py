"""Sheets written in strips are, byte for byte, those that XlsxWriter writes cell by cell."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter.worksheet import Worksheet

from heor.report import xlsx
from heor.report.fast_xlsx import HERE, NEXT, PREVIOUS, Strip, worksheet_class
from heor.report.xlsx import LABEL, Book, Style, writing

STYLES = (Style("value"), Style("formula", unit="share"), Style("link", bold=True))
HARD = (0.1, 1 / 3, -1e-300, 1.7e308, 5.0, -0.0, 123456789012345680.0, 5e-324)


class CellByCell(Worksheet):
    """XlsxWriter's own worksheet; a strip is taken apart."""

    def add_strip(self, strip: Strip) -> None:
        for row, value in enumerate(strip.values, start=strip.first):
            if strip.texts is None:
                self.write_number(row, strip.column, value, strip.format)
            else:
                formula = "=" + strip.formula(row)
                self.write_formula(row, strip.column, formula, strip.format, value)


def parts(path: Path) -> dict[str, bytes]:
    """Files inside a workbook, but for the time it was made."""
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist() if n != "docProps/core.xml"}


def both(folder: Path, fill: Callable[[Book], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a workbook both ways and compare."""
    kinds: dict[str, Any] = {"fast": worksheet_class(), "plain": CellByCell}
    found = {}
    for name, kind in kinds.items():
        with monkeypatch.context() as patch:
            patch.setattr(xlsx, "worksheet_class", lambda kind=kind: kind)
            with writing(folder / f"{name}.xlsx") as book:
                fill(book)
        found[name] = parts(folder / f"{name}.xlsx")
    assert found["fast"].keys() == found["plain"].keys()
    for name, content in found["plain"].items():
        assert found["fast"][name] == content, name


def many(count: int) -> np.ndarray:
    return np.resize(np.array(HARD), count)


def test_strips_of_every_kind(tmp_path, monkeypatch):
    def fill(book: Book) -> None:
        sheet = book.sheet("Strips")
        sheet.text(0, 0, "Title")
        sheet.text(3, 30, "beside")
        sheet.height(20, 33)
        sheet.height(90, 40)
        sheet.widths((12, 30))
        sheet.block(12, 0, many(80).reshape(40, 2), STYLES[:2])
        sheet.block(12, 2, np.arange(40)[:, None], STYLES[2:])
        pattern = f'=IF(A{HERE}>B{PREVIOUS},"<5% & ""so"">",A{NEXT}^2)&"%s %d"'
        sheet.pattern_column(12, 5, pattern, many(40), STYLES[1])
        sheet.formula_column(
            20, 3, [f'=IF(A{n}<1,"a&b","50%")' for n in range(30)], many(30), STYLES[0]
        )
        sheet.text(14, 4, "between")
        sheet.number(15, 9, 2.5, STYLES[2])
        sheet.formula(16, 8, '="x"', "x", STYLES[0])
        sheet.block(70, 1, many(3)[:, None], STYLES[2:])
        sheet.text(95, 2, "below")
        book.sheet("Empty")
        book.sheet("Plain").text(2, 2, "only a text")

    both(tmp_path, fill, monkeypatch)


def test_charts_store_the_values_of_strips(tmp_path, monkeypatch):
    def fill(book: Book) -> None:
        sheet = book.sheet("Data")
        sheet.text(0, 0, "t")
        sheet.text(0, 1, "y")
        sheet.block(1, 0, many(50)[:, None], STYLES[:1])
        sheet.pattern_column(1, 1, f"=A{HERE}*A{PREVIOUS}", many(50), STYLES[1])
        sheet.number(51, 1, 7.0, STYLES[0])
        chart = book.add_chart({"type": "scatter"})
        chart.add_series(
            {
                "name": "=Data!$B$1",
                "categories": "=Data!$A$2:$A$60",
                "values": "=Data!$B$2:$B$60",
            }
        )
        sheet.place(2, 4, chart, width=300, height=200, alt="y by t")

    both(tmp_path, fill, monkeypatch)
    chart = parts(tmp_path / "fast.xlsx")["xl/charts/chart1.xml"].decode()
    assert chart.count("<c:v>0.3333333333333333</c:v>") == 14


places = st.tuples(
    st.integers(0, 40), st.integers(0, 5), st.sampled_from(["number", "pattern", "list"])
)


@given(
    strips=st.lists(st.tuples(places, st.integers(0, 50), st.sampled_from(STYLES)), max_size=6),
    cells=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 6)), max_size=8),
    heights=st.lists(st.integers(0, 95), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_any_layout(strips, cells, heights):
    def fill(book: Book) -> None:
        sheet = book.sheet("Any")
        taken = set()
        for ((first, column, kind), count, style), number in zip(strips, range(6), strict=False):
            here = {(row, column) for row in range(first, first + count)}
            if here & taken:
                continue
            taken |= here
            if kind == "number":
                sheet.block(first, column, many(count)[:, None], [style])
            elif kind == "pattern":
                pattern = f'="%"&{PREVIOUS}&{HERE}&"<{number}"'
                sheet.pattern_column(first, column, pattern, many(count), style)
            else:
                texts = [f"=A{n}&1" for n in range(count)]
                sheet.formula_column(first, column, texts, many(count), style)
        for row, column in cells:
            if (row, column) not in taken:
                sheet.text(row, column, "text", LABEL)
        for row in heights:
            sheet.height(row, 40)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        both(Path(folder), fill, patch)


@pytest.mark.parametrize("again", ["text", "strip", "chart"])
def test_no_cell_is_written_twice(tmp_path, again):
    def write() -> None:
        with writing(tmp_path / "a.xlsx") as book:
            sheet = book.sheet("Twice")
            sheet.block(2, 1, many(5)[:, None], STYLES[:1])
            if again == "strip":
                sheet.pattern_column(4, 1, f"=A{HERE}", many(5), STYLES[0])
                return
            sheet.text(6, 1, "again")
            if again == "chart":
                chart = book.add_chart({"type": "line"})
                chart.add_series({"values": "=Twice!$B$1:$B$9"})
                sheet.place(0, 5, chart, width=100, height=100, alt="")

    place = "B5" if again == "strip" else "B7"
    with pytest.raises(ValueError, match=f"Twice!{place} is written twice"):
        write()


def test_long_patterns_are_refused_at_their_longest(tmp_path):
    pattern = "=" + "+".join([f"A{HERE}"] * 1500)
    with (
        pytest.raises(ValueError, match="not a formula"),
        writing(tmp_path / "a.xlsx") as book,
    ):
        book.sheet("s").pattern_column(0, 1, pattern, np.zeros(20_000), STYLES[0])
    with writing(tmp_path / "a.xlsx") as book:
        book.sheet("s").pattern_column(0, 1, pattern, np.zeros(9), STYLES[0])


def test_as_many_formulas_as_values(tmp_path):
    with pytest.raises(ValueError, match="2 formulas and 3 values"):  # noqa: SIM117
        with writing(tmp_path / "a.xlsx") as book:
            book.sheet("s").formula_column(0, 1, ["=1", "=0"], np.zeros(3), STYLES[0])


def test_an_empty_text_is_stored_as_a_text(tmp_path):
    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        book.sheet("s").formula(0, 0, '=IF(1>0,"","x")', "", STYLES[0])
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert 't="str"><f>IF(1&gt;0,"","x")</f><v></v></c>' in xml
