"""Evidence, CHEERS 2022, Change log, and what makes a workbook comfortable to read and print."""

from __future__ import annotations

from collections import Counter

import openpyxl
import pytest

from heor.report.sheets.change_log import ROWS
from heor.report.sheets.cheers import ANALYST, DRAFT, ITEMS, TOOL
from heor.report.sheets.evidence import GRADES
from heor.report.workbook import CALCULATIONS, FRONT, PRINTED_ROWS, SHEETS, TABS, write_report
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import EVIDENCE_GRADES, words
from heor.study import Plan, run_study


@pytest.fixture(scope="module")
def results():
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    return run_study(spec, Plan(draws=20, skip=("scenarios", "dsa")))


@pytest.fixture(scope="module")
def book(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "report.xlsx"
    write_report(results, path)
    return openpyxl.load_workbook(path, data_only=True)


def rows_from(sheet, first_cell):
    """Rows below the heading row that starts with a text, up to a blank."""
    row = next(r for r in range(1, sheet.max_row + 1) if sheet.cell(r, 1).value == first_cell) + 1
    while sheet.cell(row, 1).value is not None:
        yield [cell.value for cell in sheet[row]]
        row += 1


def test_every_grade_is_known():
    assert set(GRADES) == set(EVIDENCE_GRADES)


def test_evidence_counts_and_cites(results, book):
    spec, sheet = results.spec, book["Evidence"]
    counts = {row[0]: row[1] for row in rows_from(sheet, "Grade")}
    known = Counter(p.evidence for p in spec.parameters.values())
    assert counts == {grade: known[grade] for grade in GRADES}
    listed = list(rows_from(sheet, "Parameter"))
    assert {row[1] for row in listed} == set(spec.parameters)
    order = [tuple(GRADES).index(row[7]) for row in listed]
    assert order == sorted(order)
    for row in listed:
        one = spec.parameters[row[1]]
        assert row[2] == pytest.approx(one.value, rel=1e-15)
        for key in words(one.source):
            wanted = spec.references[key].citation if key in spec.references else "Assumption."
            assert wanted in row[8]
    curves = list(rows_from(sheet, "Strategy, endpoint, group"))
    assert [row[1] for row in curves] == [curve.id for curve in spec.curves]
    assert {row[0] for row in rows_from(sheet, "Key")} == set(spec.references)


def test_a_curve_has_the_grade_of_its_weakest_parameter(results, book):
    grades = {row[1]: row[7] for row in rows_from(book["Evidence"], "Strategy, endpoint, group")}
    parameters = results.spec.parameters
    assert parameters["lif_dor_k"].evidence == "assumption"
    assert grades["lif_pfs_responder"] == "assumption"
    used = ("doc_orr", "doc_dor_mu", "doc_dor_sigma", "ttr")
    weakest = min((parameters[name].evidence for name in used), key=tuple(GRADES).index)
    assert grades["doc_pfs_responder"] == weakest


def test_cheers_has_28_items_with_sheets_that_exist(book):
    sheet = book["CHEERS 2022"]
    rows = list(rows_from(sheet, "Item"))
    assert [row[0] for row in rows] == list(range(1, 29))
    assert [row[1] for row in rows] == [item.name for item in ITEMS]
    assert {row[5] for row in rows} == {TOOL, DRAFT, ANALYST}
    assert all(row[4] for row in rows if row[5] == TOOL)
    for row in rows:
        assert row[3] is None or row[3] in book.sheetnames
        assert row[6] is None
    assert "10.1007/s10198-021-01426-6" in str(sheet["A6"].value)


def test_the_change_log_starts_with_the_run(results, book):
    sheet = book["Change log"]
    rows = list(rows_from(sheet, "Date"))
    assert len(rows) == 1
    assert rows[0][0] == results.record.started
    assert results.spec.input_hash[:16] in rows[0][5]
    assert sheet.max_row >= ROWS


def test_tabs_are_coloured_by_kind(results, book):
    groups = {kind.title: kind.group for kind in (*FRONT, *SHEETS)}
    for sheet in book:
        title = next((t for t in groups if sheet.title == t or sheet.title.startswith(f"{t} ")), "")
        wanted = set(TABS.values()) if not title else {TABS[groups[title]]}
        assert f"#{sheet.sheet_properties.tabColor.rgb[-6:]}" in wanted, sheet.title


def test_sheets_are_set_up_to_read_and_print(results, book):
    loose = {"Cover"}
    calculations = [kind.title for kind in SHEETS if kind.group == CALCULATIONS]
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape", sheet.title
        assert sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.title
        assert sheet.freeze_panes or sheet.title in loose, sheet.title
        long = sheet.max_row >= 2 * PRINTED_ROWS
        if long and any(sheet.title.startswith(title) for title in calculations):
            area = sheet.print_area
            assert int(area.rsplit("$", 1)[1]) <= PRINTED_ROWS, sheet.title
    for title in results.spec.tables:
        assert book[title].print_title_rows == "$1:$1", title


def test_the_file_says_what_it_is(results, book):
    properties = book.properties
    assert properties.title == results.spec.settings.title
    assert results.version in properties.description
    assert results.spec.input_hash in properties.description
    assert properties.keywords == "Docetaxel, Lifileucel"
