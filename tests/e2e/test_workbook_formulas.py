"""Every formula of the shipped study's workbook: safe, stored with its value, and right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import python_calamine
from formula_scanner import columns_with_several_formulas, scan_package
from spreadsheet import Spreadsheet, write_control
from workbook_model import Model, stored_differences, write_model
from xlsx_package import column_index, read_package, split_address

from heor.report.live import GRID_ROW
from heor.report.sheets.calc_time import rows_needed
from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study

#: Formula cells that the workbook of a whole study has at least.
MANY = 50_000


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The small study with three strategies, one of them dominated."""
    spec = read_study(shipped_studies() / "three_strategies")
    path = tmp_path_factory.mktemp("three") / "report.xlsx"
    return write_model(run_study(spec, Plan(draws=30, structure=True)), path)


@pytest.fixture(params=["shipped", "three"])
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = request.getfixturevalue(request.param)
    return found


def test_no_formula_name_or_sheet_breaks_a_rule(model: Model) -> None:
    faults = [str(fault) for fault in scan_package(model.package)]
    assert faults[:20] == []


def test_one_formula_down_each_column_of_cycles(model: Model) -> None:
    """From the first to the last cycle boundary, on every sheet that has rows of cycles."""
    rows = rows_needed(model.spec)
    long = [c.sheet.title for c in model.ctx.columns.values() if len(c.values) == rows]
    sheets = [model.package.sheets[title] for title in dict.fromkeys(long)]
    assert len(sheets) > len(model.spec.strategies)
    least = rows - 2  # a column may leave out the last boundary, or two
    faults = columns_with_several_formulas(sheets, GRID_ROW + 1, least)
    assert [str(fault) for fault in faults[:20]] == []


def test_a_wrong_stored_value_comes_back_right(tmp_path: Path) -> None:
    path = write_control(tmp_path / "control.xlsx")
    with Spreadsheet() as calc:
        calc.open(path)
        found = stored_differences(calc, read_package(path))
    assert found == [
        "Control!A2: stored 99.0, calculated 21.0",
        "Control!A3: stored 'wrong', calculated 'above'",
        "Control!A4: stored 1.0, calculated 0.5",
    ]


def test_every_stored_value_is_what_its_formula_gives(
    shipped: Model, shipped_calc: Spreadsheet
) -> None:
    count = sum(1 for sheet in shipped.package.sheets.values() for _ in sheet.formulas)
    assert count > MANY
    assert stored_differences(shipped_calc, shipped.package)[:20] == []


def test_a_study_with_three_strategies(three: Model) -> None:
    with Spreadsheet() as calc:
        calc.open(three.path)
        assert stored_differences(calc, three.package)[:20] == []


def stored(model: Model) -> Iterator[tuple[str, int, int, Any]]:
    """Sheet, row and column from 0, and value of every formula."""
    for title, sheet in model.package.sheets.items():
        for place, cell in sheet.formulas:
            column, row = split_address(place)
            yield title, row - 1, column_index(column), cell.value


def test_calamine_sees_every_stored_value(model: Model) -> None:
    book = python_calamine.CalamineWorkbook.from_path(model.path)
    rows = {
        name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        for name in book.sheet_names
    }
    for title, row, column, value in stored(model):
        assert rows[title][row][column] == value, (title, row, column)


def test_openpyxl_sees_every_stored_value(three: Model) -> None:
    book = openpyxl.load_workbook(three.path, data_only=True)
    for title, row, column, value in stored(three):
        found = book[title].cell(row + 1, column + 1).value
        assert (found or "" if value == "" else found) == value, (title, row, column)


@pytest.mark.parametrize("engine", ["openpyxl", "calamine"])
def test_pandas_sees_every_stored_value(three: Model, engine: Any) -> None:
    frames = pd.read_excel(three.path, sheet_name=None, header=None, engine=engine)
    tables = {title: frame.to_numpy() for title, frame in frames.items()}
    for title, row, column, value in stored(three):
        if value != "":  # pandas has no empty text
            assert tables[title][row, column] == value, (title, row, column)
