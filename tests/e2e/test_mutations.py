"""The proof can fail: broken formulas in a small workbook, and which test sees each.

A formula of another value shows against the stored values. One that is right in the base case only,
a number in a formula's place above all, shows when inputs change, and to the scanner where it
stands among the formulas of a column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from formula_scanner import columns_with_several_formulas, scan_package
from spreadsheet import Spreadsheet
from study_folder import write_study
from trials import parameter_trials, scenario_trials, setting_trials
from workbook_model import Model, replicate, stored_differences, write_model
from xlsx_package import read_package, rewrite, split_address

from heor.report.live import GRID_ROW, Column
from heor.spec.reader import read_study
from heor.study import Plan, run_study

#: Boundary of a column of cycles whose formula is broken.
STEP = 7


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("small")
    spec = read_study(write_study(folder / "study"))
    plan = Plan(skip=("accrual", "scenarios", "dsa", "psa"))
    return write_model(run_study(spec, plan), folder / "report.xlsx")


@pytest.fixture(scope="module")
def calc() -> Iterator[Spreadsheet]:
    with Spreadsheet() as running:
        yield running


def place_of(column: Column, row: int) -> tuple[str, str]:
    """Sheet and address of a boundary of a column."""
    found = re.search(r"!\$([A-Z]+)\$(\d+)$", column.at(row).text)
    assert found is not None
    return column.sheet.title, found[1] + found[2]


def with_formula(small: Model, cell: tuple[str, str], old: str, new: str, folder: Path) -> Model:
    """The workbook with one formula changed and its stored value left; "" takes the formula out."""
    title, address = cell
    part = f"xl/worksheets/sheet{list(small.package.sheets).index(title) + 1}.xml"

    def edit(text: str) -> str:
        found = re.search(rf'<c r="{address}"[^>]*><f>(.*?)</f>', text)
        assert found is not None, cell
        assert old in found[1], found[1]
        formula = found[1].replace(old, new, 1) if new else ""
        changed = f"<f>{formula}</f>" if formula else ""
        return text.replace(found[0], found[0].replace(f"<f>{found[1]}</f>", changed), 1)

    path = rewrite(small.path, folder / "broken.xlsx", {part: edit})
    return Model(path, small.ctx, read_package(path))


def seen(calc: Spreadsheet, model: Model) -> list[str]:
    """Cells whose stored value is not what they come to."""
    calc.open(model.path)
    return [fault.partition(":")[0] for fault in stored_differences(calc, model.package)]


def test_the_workbook_is_right_as_it_is(calc: Spreadsheet, small: Model) -> None:
    assert scan_package(small.package) == []
    assert seen(calc, small) == []


def test_a_broken_formula_of_the_trace(calc: Spreadsheet, small: Model, tmp_path: Path) -> None:
    cell = place_of(small.ctx.columns["endpoint new os"], STEP)
    row = str(split_address(cell[1])[1])
    broken = with_formula(small, cell, row, str(int(row) + 1), tmp_path)
    found = seen(calc, broken)
    assert "!".join(cell) in found
    assert "!".join(small.live("total ly new")) in found
    columns = columns_with_several_formulas([broken.package.sheets[cell[0]]], GRID_ROW + 1, 50)
    assert [fault.place for fault in columns][:1] == ["!".join(cell)]


def test_a_broken_formula_of_the_results(calc: Spreadsheet, small: Model, tmp_path: Path) -> None:
    cell = small.live("delta cost new")
    broken = with_formula(small, cell, "-", "+", tmp_path)
    found = seen(calc, broken)
    assert "!".join(cell) in found
    assert "!".join(small.live("icer new")) in found
    assert "!".join(small.live("total cost new")) not in found


def test_a_number_in_the_place_of_a_formula_of_the_trace(
    calc: Spreadsheet, small: Model, tmp_path: Path
) -> None:
    cell = place_of(small.ctx.columns["endpoint new os"], STEP)
    frozen = with_formula(small, cell, "", "", tmp_path)
    assert seen(calc, frozen) == []
    columns = columns_with_several_formulas([frozen.package.sheets[cell[0]]], GRID_ROW + 1, 50)
    assert [fault.place for fault in columns] == ["!".join(cell)]
    faults = replicate([calc], frozen, parameter_trials(frozen), 1e-8).faults
    assert any("rate low: total ly new" in fault for fault in faults)


def test_a_number_in_the_place_of_a_live_parameter(
    calc: Spreadsheet, small: Model, tmp_path: Path
) -> None:
    frozen = with_formula(small, small.live("param u"), "", "", tmp_path)
    assert seen(calc, frozen) == []
    faults = replicate([calc], frozen, parameter_trials(frozen), 1e-8).faults
    assert faults
    assert all("parameter low or high, u " in fault for fault in faults)


@pytest.mark.parametrize(
    ("key", "text"),
    [("discounting", "annual"), ("cycle_correction", "start"), ("horizon", "5 years")],
)
def test_a_setting_that_does_not_count(
    calc: Spreadsheet, small: Model, tmp_path: Path, key: str, text: str
) -> None:
    frozen = with_formula(small, small.live(key), "", "", tmp_path)
    assert seen(calc, frozen) == []
    found = replicate([calc], frozen, setting_trials(frozen, {key: [text]}), 1e-8).faults
    assert any("total qaly" in fault for fault in found)


def test_a_scenario_that_does_not_count(calc: Spreadsheet, small: Model, tmp_path: Path) -> None:
    frozen = with_formula(small, small.live("scenario"), "", "", tmp_path)
    assert seen(calc, frozen) == []
    faults = replicate([calc], frozen, scenario_trials(frozen), 1e-8).faults
    assert any("Free drug" in fault for fault in faults)
    assert not any("Same" in fault for fault in faults)
