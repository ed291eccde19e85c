"""A report is read again as the study it was made from, with what was changed in it."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result
from libreoffice import recalculate

from heor.cli import main
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import Spec
from heor.spec.tables import input_hash, read_tables

SMALL = shipped_studies() / "three_strategies"
FILES = ("results.json", "psa.csv", "psa_inputs.csv")
#: Parts of run.json that tell one run from another with the same results.
OF_THE_RUN = ("started", "timings")


def heor(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def ran(*args: object) -> str:
    result = heor(*args)
    assert result.exit_code == 0, result.output
    return result.output


def run(inputs: Path, folder: Path, *args: str) -> Path:
    """Run a study; give its report."""
    ran("run", inputs, "--draws", "30", "-o", folder, "-q", *args)
    return folder / f"{inputs.stem}.xlsx"


def record(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "run.json").read_text("utf-8"))
    return {key: value for key, value in found.items() if key not in OF_THE_RUN}


def chosen(report: Path, target: Path, choices: Mapping[str, object]) -> Path:
    """Copy a report with choices made on Control, and nothing else touched."""
    book = openpyxl.load_workbook(report, read_only=True)
    part = f"xl/worksheets/sheet{book.sheetnames.index('Control') + 1}.xml"
    rows = list(book["Control"].iter_rows())
    book.close()
    (head,) = (row for row in rows if row and row[0].value == "key")
    (place,) = (cell.column_letter for cell in head if cell.value == "your choice")
    places = {row[0].value: f"{place}{row[0].row}" for row in rows if row and row[0].value}
    with zipfile.ZipFile(report) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            text = old.read(name)
            for key, value in choices.items() if name == part else ():
                number = not isinstance(value, str)
                cell = f"<v>{value}</v>" if number else f"<is><t>{value}</t></is>"
                kind = "n" if number else "inlineStr"
                text, found = re.subn(
                    rf'<c r="{places[key]}" s="(\d+)"/>'.encode(),
                    rf'<c r="{places[key]}" s="\1" t="{kind}">{cell}</c>'.encode(),
                    text,
                )
                assert found == 1, key
            new.writestr(name, text)
    return target


def same(one: Spec, other: Spec) -> None:
    assert one.input_hash == other.input_hash
    assert one.tables == other.tables


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(SMALL, tmp_path_factory.mktemp("report"))


def test_an_untouched_report_gives_the_same_results(report: Path, tmp_path: Path) -> None:
    run(report, tmp_path / "again")

    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (report.parent / name).read_bytes()
    assert record(tmp_path / "again") == record(report.parent)
    same(read_study(report), read_study(SMALL))


def test_a_report_of_a_changed_study_is_that_study(tmp_path: Path) -> None:
    options = ("--scenario", "Shorter horizon", "--set", "price_high=90000", "--set", "smr=1.2")
    changed = run(SMALL, tmp_path / "changed", *options)
    again = run(changed, tmp_path / "again")

    same(read_study(changed), read_study(again))
    first, second = (
        json.loads((path.parent / "results.json").read_text("utf-8")) for path in (changed, again)
    )
    for analysis in ("base_case", "scenarios", "dsa", "psa"):
        assert first[analysis] == second[analysis]
    for name in FILES[1:]:
        assert (changed.parent / name).read_bytes() == (again.parent / name).read_bytes()


def test_choices_in_a_report_are_those_of_the_command_line(report: Path, tmp_path: Path) -> None:
    choices = {"scenario": "Shorter horizon", "discount_rate_costs": 0.05, "threshold 1": 25000}
    edited = chosen(report, tmp_path / report.name, choices)
    thresholds = sorted({25000.0, *read_study(SMALL).settings.thresholds[1:]})
    by_hand = ("--scenario", "Shorter horizon", "--set", "discount_rate_costs=0.05")
    by_hand += ("--set", "thresholds=" + "; ".join(f"{t:.0f}" for t in thresholds))
    run(edited, tmp_path / "edited")
    run(SMALL, tmp_path / "by hand", *by_hand)

    for name in FILES:
        edited_file, by_hand_file = (tmp_path / f / name for f in ("edited", "by hand"))
        assert edited_file.read_bytes() == by_hand_file.read_bytes()
    assert record(tmp_path / "edited")["changes"] == [
        "scenario 'Shorter horizon'",
        "discount_rate_costs = 0.05",
        "thresholds = " + "; ".join(f"{t:.0f}" for t in thresholds),
    ]
    assert "Changed: scenario 'Shorter horizon'" in ran("check", edited)
    # a report of the edited report has its choices in the tables, and none on Control
    second = read_study(tmp_path / "edited" / report.name)
    assert (second.changes, second.scenario) == ((), "")
    assert second.input_hash == record(tmp_path / "edited")["input_hash"]


def test_a_chosen_draw_is_said_and_left_aside(report: Path, tmp_path: Path) -> None:
    edited = chosen(report, tmp_path / report.name, {"draw": 17})

    for command in ("check", "base-case"):
        words = " ".join(ran(command, edited).split())
        assert "draw 17 is chosen here; a run starts from a base case" in words
    assert read_study(edited).input_hash == read_study(SMALL).input_hash


def test_bad_choices_end_with_exit_code_2(report: Path, tmp_path: Path) -> None:
    choices = {"scenario": "Shorter horizn", "horizon": "long", "cycle_correction": "both"}
    edited = chosen(report, tmp_path / report.name, choices)
    result = heor("run", edited, "-o", tmp_path / "out")

    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()
    words = " ".join(result.output.split())
    assert "no scenario 'Shorter horizn'" in words
    assert "found 'long'" in words
    assert "found 'both'; allowed: trapezoid, start, end" in words
    assert words.count("[Control], cell ") == 3


def test_a_scenario_on_control_and_one_on_the_command_line(report: Path, tmp_path: Path) -> None:
    edited = chosen(report, tmp_path / report.name, {"scenario": "Shorter horizon"})
    result = heor("base-case", edited, "--scenario", "Shorter horizon")

    assert result.exit_code == 2
    assert "chooses the scenario 'Shorter horizon' already" in " ".join(result.output.split())


def test_edited_inputs_in_a_report(report: Path, tmp_path: Path) -> None:
    edited = tmp_path / report.name
    book = openpyxl.load_workbook(report)
    sheet = book["settings"]
    rows = {row[0].value: row[1] for row in sheet.iter_rows()}
    rows["discount_rate_costs"].value = 0.015
    rows["discount_rate_costs"].number_format = "0.0%"
    book._sheets.reverse()
    book.save(edited)

    assert read_study(edited).settings.discount_rate_costs.first == 0.015


@pytest.mark.libreoffice
def test_a_report_with_choices_saved_by_libreoffice(report: Path, tmp_path: Path) -> None:
    edited = chosen(report, tmp_path / "chosen.xlsx", {"scenario": "Shorter horizon", "horizon": 7})
    saved = recalculate(edited, tmp_path / "saved")

    assert input_hash(read_tables(saved)) == input_hash(read_tables(report))
    same(read_study(saved), read_study(edited))
    assert read_study(saved).changes == ("scenario 'Shorter horizon'", "horizon = 7 years")


@pytest.mark.libreoffice
@pytest.mark.parametrize("study", ["lifileucel_nsclc", "three_strategies"])
def test_input_workbooks_saved_by_libreoffice(study: str, tmp_path: Path) -> None:
    ran("new", tmp_path / "mine", "--as", "xlsx", "--study", study)
    book = tmp_path / "mine" / "mine.xlsx"

    expected = read_study(shipped_studies() / study).input_hash
    assert read_study(book).input_hash == expected
    assert read_study(recalculate(book, tmp_path / "saved")).input_hash == expected


def test_an_input_workbook_offers_the_words_of_its_columns(tmp_path: Path) -> None:
    ran("new", tmp_path / "mine", "--as", "xlsx")
    book = openpyxl.load_workbook(tmp_path / "mine" / "mine.xlsx")

    offered = {
        (sheet.title, sheet.cell(1, next(iter(rule.sqref.ranges)).min_col).value): rule.formula1
        for sheet in book
        for rule in sheet.data_validations.dataValidation
    }
    assert offered["parameters", "evidence"].startswith('"')
    assert "in_state" in offered["costs", "trigger"]
    assert "weibull" in offered["curves", "family"]
    for sheet in book:
        assert sheet.freeze_panes is not None, sheet.title
        assert sheet.sheet_state == "visible"


def test_a_copied_report_of_another_name_is_the_same_study(report: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(report, tmp_path / "Copy of report (1).xlsx"))

    same(read_study(copy), read_study(report))
