"""The xlsx adapter: safe names, safe text, stored values, whole files or none."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from heor.errors import HeorError
from heor.report.charts import lighter, money_scale, nice_limits, nice_step
from heor.report.curve_facts import crossing_time
from heor.report.sheets.inputs import typed
from heor.report.workbook import write_tables_workbook
from heor.report.xlsx import (
    LABEL,
    Style,
    cell_name,
    column_letter,
    name_is_safe,
    quote_title,
    safe_names,
    safe_title,
    writing,
)
from heor.spec.records import TableData
from heor.spec.tables import read_tables

NUMBER = Style("value")


def cells(path: Path, *, values: bool = True):
    return openpyxl.load_workbook(path, data_only=values)


def test_formulas_keep_their_values(tmp_path):
    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        sheet = book.sheet("Some sheet")
        sheet.number(0, 0, 2.5, NUMBER)
        sheet.formula(1, 0, "=A1*2", 5.0, NUMBER)
        sheet.formula(2, 0, '=IF(A1>1,"yes","no")', "yes", NUMBER)
    stored = cells(path)["Some sheet"]
    assert [stored[f"A{row}"].value for row in (1, 2, 3)] == [2.5, 5, "yes"]
    written = cells(path, values=False)["Some sheet"]
    assert written["A2"].value == "=A1*2"
    assert written["A3"].value == '=IF(A1>1,"yes","no")'


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+A1", "-x", "@SUM(A1)", '=HYPERLINK("http://x")', "{=1}", "=cmd|' /C calc'!A0"],
)
def test_user_text_is_never_a_formula(tmp_path, text):
    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        book.sheet("s").text(0, 0, text)
    cell = cells(path, values=False)["s"]["A1"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix == (text[0] in "=+-@")
    with zipfile.ZipFile(path) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


def test_text_that_looks_like_a_link_or_number_stays_text(tmp_path):
    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        sheet = book.sheet("s")
        sheet.text(0, 0, "https://example.org")
        sheet.text(1, 0, "1234")
    sheet = cells(path)["s"]
    assert sheet["A1"].hyperlink is None
    assert sheet["A2"].value == "1234"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_name_their_cell(tmp_path, value):
    path = tmp_path / "a.xlsx"
    writers = (
        lambda sheet: sheet.number(4, 2, value, NUMBER),
        lambda sheet: sheet.formula(4, 2, "=1/A1", value, NUMBER),
        lambda sheet: sheet.block(3, 2, np.array([[1.0], [value]]), [NUMBER]),
        lambda sheet: sheet.formula_column(3, 2, ["=1", "=2"], np.array([1.0, value]), NUMBER),
    )
    for write in writers:
        with (
            pytest.raises(HeorError, match=r"sheet Prices, cell C5: the value is -?(nan|inf)"),
            writing(path) as book,
        ):
            write(book.sheet("Prices"))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"old")

    def broken() -> None:
        with writing(path) as book:
            book.sheet("s").text(0, 0, "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"old")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(HeorError, match=r"cannot write .*a\.xlsx"), writing(path) as book:
        book.sheet("s")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_locked_file_gives_a_clear_error(tmp_path, monkeypatch):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"old")

    def locked(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", locked)
    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(HeorError, match=r"a\.xlsx: it may be open in another program"):  # noqa: SIM117
        with writing(path) as book:
            book.sheet("s")
    assert path.read_bytes() == b"old"


def test_the_folder_is_made(tmp_path):
    path = tmp_path / "new" / "a.xlsx"
    with writing(path) as book:
        book.sheet("s")
    assert path.exists()


def test_long_text_and_formulas_are_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    with (
        pytest.raises(HeorError, match="A1: the text has 40,000 characters"),
        writing(path) as book,
    ):
        book.sheet("s").text(0, 0, "x" * 40_000)
    with pytest.raises(ValueError, match="not a formula"), writing(path) as book:
        book.sheet("s").formula(0, 0, "A1", 1.0, NUMBER)
    with pytest.raises(ValueError, match="not a formula"), writing(path) as book:
        book.sheet("s").formula(0, 0, "=" + "+".join(["A1"] * 4000), 1.0, NUMBER)


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("a/b:c*d?e[f]g\\h", "a-b-c-d-e-f-g-h"),
        ("'quoted'", "quoted"),
        ("", "Sheet"),
        ("history", "history-"),
        ("x" * 50, "x" * 31),
    ],
)
def test_sheet_titles_are_safe(wanted, title):
    assert safe_title(wanted) == title


def test_sheet_titles_are_unique_whatever_their_case():
    assert safe_title("Results", ["results"]) == "Results 2"
    long = "Calc Trace " + "s" * 40
    first = safe_title(long)
    second = safe_title(long, [first])
    third = safe_title(long, [first, second])
    assert len({first.casefold(), second.casefold(), third.casefold()}) == 3
    assert max(map(len, (first, second, third))) <= 31


def test_titles_are_quoted():
    assert quote_title("it's") == "'it''s'"


@pytest.mark.parametrize(
    "identifier",
    ["c1", "HR1", "r", "R", "c", "C", "os24", "R1C1", "r1", "rc", "R2C", "xfd1048576", "aaa1"],
)
def test_ids_that_read_as_cells_get_another_name(identifier):
    assert not name_is_safe(identifier)
    (name,) = safe_names([identifier]).values()
    assert name == identifier + "_"
    assert name_is_safe(name)


@pytest.mark.parametrize("identifier", ["price", "lif_orr", "u_pd", "_x", "hr_os", "abcd1", "rcx"])
def test_other_ids_keep_theirs(identifier):
    assert safe_names([identifier]) == {identifier: identifier}


def test_names_differ_in_more_than_case():
    ids = ["Rate", "rate", "RATE", "c1", "C1", "c1_", "true"]
    names = safe_names(ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert all(map(name_is_safe, names.values()))
    assert names["c1_"] == "c1_"
    assert names["Rate"] == "Rate"


def test_unsafe_names_reach_the_file_as_safe_ones(tmp_path):
    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        sheet = book.sheet("s")
        sheet.number(0, 0, 3.0, NUMBER)
        for name in safe_names(["HR1", "r"]).values():
            book.define_name(name, sheet, 0, 0)
        with pytest.raises(ValueError, match="not a safe defined name"):
            book.define_name("HR1", sheet, 0, 0)
    assert sorted(cells(path).defined_names) == ["HR1_", "r_"]


def test_addresses():
    assert [column_letter(c) for c in (0, 25, 26, 701, 702, 16383)] == [
        "A",
        "Z",
        "AA",
        "ZZ",
        "AAA",
        "XFD",
    ]
    assert cell_name(2, 27) == "AB3"
    assert cell_name(2, 27, absolute=True) == "$AB$3"


def test_numbers_only_where_nothing_is_lost():
    assert typed("0.1") == 0.1
    assert typed("-3") == -3
    assert typed("1e-5") == 1e-5
    for text in ("", "-", "007", "1_000", "1,5", "3%", "nan", "inf", "1e999", "price*2"):
        assert typed(text) == text
    exact = "0.1234567890123456789"
    assert typed(exact) == exact, "more digits than the file keeps stay text"


TABLES = {
    "settings": TableData(
        name="settings",
        columns=("key", "value", "note"),
        rows=(("title", "+evil()", "- note"), ("horizon", "30 years", ""), ("psa_seed", "7", "")),
    ),
    "parameters": TableData(
        name="parameters",
        columns=("id", "label", "value", "unit", "source", "evidence"),
        rows=(
            ("c1", "7", "0.30000000000000004", "proportion", "assumption", "assumption"),
            ("r", "Rate", "-ln(c1)/12", "per month", "assumption", "assumption"),
            ("p", "Price", "515000", "USD", "assumption", "published"),
        ),
    ),
}


def test_tables_workbook_reads_back(tmp_path):
    path = tmp_path / "tables.xlsx"
    write_tables_workbook(TABLES, path)
    assert read_tables(path) == TABLES
    sheet = cells(path)["parameters"]
    assert sheet["C4"].value == 515000
    assert sheet["B2"].value == "7", "labels stay text"
    assert sheet.freeze_panes == "B2"
    assert cells(path)["settings"]["B4"].value == 7
    assert cells(path, values=False)["settings"]["B2"].data_type == "s"


def test_axis_limits():
    assert nice_limits(-12.0, 203.0) == (-50.0, 250.0, 50.0)
    assert nice_limits(0.0, 0.0)[1] > 0
    assert nice_limits(-480_000.0, -100.0) == (-500_000.0, 0.0, 100_000.0)
    for span in (1e-3, 0.7, 3.0, 99.0, 123_456.0):
        assert 3 <= span / nice_step(span) <= 6 + 1e-9
    assert money_scale(515_000, "USD") == ("#,##0,", "thousand USD")
    assert money_scale(999, "EUR") == ("#,##0", "EUR")
    assert lighter("#000000", 1.0) == "#FFFFFF"


def test_crossing_time_is_exact_on_a_line():
    time = np.linspace(0, 4, 5)
    assert crossing_time(time, 1 - time / 8, 0.5) == 4
    assert crossing_time(time, np.maximum(1 - time / 3, 0), 0.5) == pytest.approx(1.5, abs=1e-15)
    assert crossing_time(time, np.ones(5), 0.5) is None


def test_blank_text_keeps_its_look(tmp_path):
    path = tmp_path / "a.xlsx"
    with writing(path) as book:
        book.sheet("s").text(0, 0, "", LABEL)
    assert cells(path)["s"]["A1"].value is None
