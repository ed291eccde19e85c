"""``Verification`` and ``Cover`` of a workbook while its selectors and cells are changed."""

from __future__ import annotations

import openpyxl
import pytest
from libreoffice import recalculate
from spreadsheet import Spreadsheet

from heor.report.sheets.checks import CHANGED, FAIL, LOOK, PASS
from heor.report.workbook import write_report
from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study

DRAWS = 30


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("verification") / "report.xlsx"
    spec = read_study(shipped_studies() / "three_strategies")
    write_report(run_study(spec, Plan(draws=DRAWS, skip=("dsa",))), path)
    return path


@pytest.fixture(scope="module")
def book(report):
    return openpyxl.load_workbook(report, data_only=True)


@pytest.fixture(scope="module")
def checks(book):
    """Cells of the results by the words of each check."""
    sheet = book["Verification"]
    known = (PASS, FAIL, CHANGED, LOOK)
    found = {
        sheet.cell(row, 1).value: f"D{row}"
        for row in range(1, sheet.max_row + 1)
        if sheet.cell(row, 4).value in known
    }
    assert len(found) > 40
    return found


def place_of(book, title, text, column):
    """Address of a cell in the row that starts with a text."""
    sheet = book[title]
    row = next(r for r in range(1, sheet.max_row + 1) if sheet.cell(r, 1).value == text)
    return f"{column}{row}"


def test_a_fresh_report_passes(book, checks):
    sheet = book["Verification"]
    assert {sheet[place].value for place in checks.values()} == {PASS}
    assert sum("live against heor" in words for words in checks) == 6


@pytest.mark.libreoffice
@pytest.mark.slow
def test_checks_follow_every_choice(report, book, checks):
    control = {
        key: ("Control", place_of(book, "Control", key, "E")) for key in ("scenario", "draw")
    }
    horizon = ("Control", place_of(book, "Control", "horizon", "E"))
    shown = ("Cover", place_of(book, "Cover", "Shown now", "B"))
    status = ("Cover", place_of(book, "Cover", "Checks of this workbook", "B"))
    price = ("parameters", place_of(book, "parameters", "price_low", "D"))
    utility = ("utilities", "C2")
    where = [("Verification", place) for place in checks.values()]
    spec = read_study(shipped_studies() / "three_strategies")

    def after(changes):
        reply = calc.results(changes, [*where, shown, status])
        assert reply.error_count == 0, reply.error_cells
        *results, words, verdict = reply.values
        return dict(zip(checks, results, strict=True)), words, verdict

    with Spreadsheet() as calc:
        calc.open(report)
        for name in (scenario.name for scenario in spec.scenarios):
            found, words, verdict = after({control["scenario"]: name})
            assert set(found.values()) <= {PASS, LOOK}, name
            assert words == f"scenario “{name}”"
            assert not verdict.startswith("FAIL")
        for draw in (1, 17, DRAWS):
            found, words, _ = after({control["draw"]: float(draw)})
            assert set(found.values()) <= {PASS, LOOK}, draw
            assert words == f"PSA draw {draw}"
        found, words, _ = after({price: 12_345.0})
        assert sorted(set(found.values())) == [CHANGED, PASS]
        against = "New drug at low dose: cost, live against heor, relative difference"
        assert found[against] == CHANGED
        assert words == "base case; changed cells: 1 (see Calc Inputs)"
        found, _, verdict = after({horizon: "200 years"})
        assert found["Horizon longer than the rows of the calculation sheets (1: yes)"] == FAIL
        assert verdict.startswith("FAIL")
        found, _, _ = after({utility: 2.0})
        assert found["Standard care: life years minus QALYs"] == FAIL


@pytest.mark.libreoffice
@pytest.mark.slow
def test_a_damaged_trace_is_found(report, checks, tmp_path):
    """A number typed over one formula of a state fails the checks of that trace, and no other."""
    damaged = openpyxl.load_workbook(report)
    damaged["Calc Trace standard"][state_cell(damaged)].value = 1.5
    path = tmp_path / "damaged.xlsx"
    damaged.save(path)
    again = openpyxl.load_workbook(recalculate(path, tmp_path / "again"), data_only=True)
    found = {words: again["Verification"][place].value for words, place in checks.items()}
    failed = [words for words, result in found.items() if result == FAIL]
    assert "Standard care: largest share in any state at any time" in failed
    assert "Standard care: furthest that the states' sum is from 1" in failed
    assert "Standard care: cost, live against heor, relative difference" in failed
    assert not [words for words in failed if not words.startswith("Standard care")]
    cover = again["Cover"]
    status = cover[place_of(again, "Cover", "Checks of this workbook", "B")].value
    assert status == f"FAIL: {len(failed)}"


def state_cell(book):
    """Address of one cell of a state's column in the trace of standard care."""
    sheet = book["Calc Trace standard"]
    heads = next(row for row in sheet.iter_rows() if row[0].value == "Boundary")
    column = next(cell for cell in heads if cell.value == "Progressed")
    return sheet.cell(column.row + 5, column.column).coordinate
