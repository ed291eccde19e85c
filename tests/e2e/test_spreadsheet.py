"""LibreOffice over UNO: it computes afresh, follows changes, and puts everything back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook
from spreadsheet import Spreadsheet, SpreadsheetError, write_control

ALL = [("Control", "A1:A5")]
MENDED = [[20.0], [21.0], ["above"], [0.5], [2.0]]


@pytest.fixture(scope="module")
def calc() -> Iterator[Spreadsheet]:
    with Spreadsheet() as running:
        yield running


@pytest.fixture
def control(calc: Spreadsheet, tmp_path: Path) -> Spreadsheet:
    path = write_control(tmp_path / "control.xlsx")
    stored = load_workbook(path, data_only=True)["Control"]
    assert [stored[f"A{row}"].value for row in (2, 3)] == [99, "wrong"]
    calc.open(path)
    return calc


def test_wrong_stored_values_come_back_right(control: Spreadsheet) -> None:
    assert control.sheets == {"Control": (5, 1)}
    assert control.used() == ALL
    assert control.change({}, ALL).values == [MENDED]


def test_a_change_is_calculated_and_put_back(control: Spreadsheet) -> None:
    reply = control.change({("Control", "A1"): 0.5, ("Control", "A5"): 4.0}, ALL)
    assert reply.values == [[[0.5], [1.5], ["below"], [0.25], [4.0]]]
    assert reply.error_count == 0
    assert control.change({}, ALL).values == [MENDED]
    assert control.change({}, ALL, hard=True).values == [MENDED]


def test_single_cells_come_in_the_order_asked_for(control: Spreadsheet) -> None:
    wanted = [("Control", "A5"), ("Control", "A1"), ("Control", "A3")]
    assert control.results({("Control", "A1"): 0.0}, wanted).values == [2.0, 0.0, "below"]


def test_texts_and_cleared_cells(control: Spreadsheet) -> None:
    words = control.change({("Control", "A1"): "1 week", ("Control", "A9"): "0.5"}, ALL[:1])
    assert words.values[0][0] == ["1 week"]
    cleared = control.change({("Control", "A1"): None}, ALL)
    assert [row[0] for row in cleared.values[0][:3]] == ["", 1.0, "below"]
    assert control.change({}, [("Control", "A1:A9")]).values[0][4:] == [
        [2.0],
        [""],
        [""],
        [""],
        [""],
    ]


def test_a_change_that_is_kept_stays(control: Spreadsheet) -> None:
    control.change({("Control", "A1"): 30.0}, keep=True)
    assert control.change({}, ALL).values[0][1] == [31.0]


def test_error_values_are_counted_and_named(control: Spreadsheet) -> None:
    reply = control.change({("Control", "A5"): 0.0, ("Control", "A1"): "words"})
    assert reply.error_count == 2
    assert any("A4" in cell and "#DIV/0!" in cell for cell in reply.error_cells)
    assert control.change({}).error_count == 0


def test_what_cannot_be_done_is_said(control: Spreadsheet, tmp_path: Path) -> None:
    with pytest.raises(SpreadsheetError, match="A2 holds a formula"):
        control.change({("Control", "A2"): 1.0})
    with pytest.raises(SpreadsheetError, match="no sheet Missing"):
        control.change({("Missing", "A2"): 1.0})
    with pytest.raises(SpreadsheetError, match=r"cannot open|URL"):
        control.open(tmp_path / "none.xlsx")


def test_a_libreoffice_that_ended_is_said(tmp_path: Path) -> None:
    with Spreadsheet() as running:
        running.open(write_control(tmp_path / "control.xlsx"))
        running._end()
        with pytest.raises(SpreadsheetError, match="ended"):
            running.change({}, ALL)
