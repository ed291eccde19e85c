"""Choices on the sheet Control of a workbook are made in the study that is read from it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from heor.cli import options
from heor.errors import InputErrors, Place
from heor.spec.changed_tables import with_tables
from heor.spec.reader import apply_changes, read_study
from heor.spec.records import Change, Spec
from heor.spec.tables import read_tables
from heor.spec.values import is_number

BASE = Path(__file__).parents[1] / "bad_inputs" / "base"

HEADINGS = ("key", "choice", "base", "scenario", "your choice", "in use")
FIRST = 7  # row of the first choice
KEYS = (
    "scenario",
    "draw",
    "horizon",
    "cycle_length",
    "discount_rate_costs",
    "cycle_correction",
    "age_adjusted_utilities",
    "smr",
    "threshold 1",
    "threshold 2",
    "curve:new.os.responder",
)


def workbook(folder: Path, choices: dict[str, object], *, title: str = "Control") -> Path:
    """Write the base study with a sheet Control on which some cells are filled in."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    sheet["A1"], sheet["A3"] = "Control: what the workbook shows", "Choose in the blue column."
    for place, heading in enumerate(HEADINGS, start=1):
        sheet.cell(FIRST - 1, place, heading)
    for row, key in enumerate(dict.fromkeys((*KEYS, *choices)), start=FIRST):
        values = (key, "words", "=1", None, choices.get(key), "=1")
        for place, value in enumerate(values, start=1):
            sheet.cell(row, place, value)
    for name, table in read_tables(BASE).items():
        sheet = book.create_sheet(name)
        sheet.append(table.columns)
        for texts in table.rows:
            sheet.append([float(t) if is_number(t) else t or None for t in texts])
    path = folder / "base.xlsx"
    book.save(path)
    return path


def by_hand(changes: dict[str, str], scenario: str = "") -> Spec:
    """Make the same changes of the study in its folder."""
    spec = read_study(BASE)
    if scenario:
        found = next(s for s in spec.scenarios if s.name == scenario)
        spec = with_tables(apply_changes(spec, found.changes), found.changes, scenario)
    made = [Change(target=t, value=v, place=Place("here")) for t, v in changes.items()]
    return with_tables(apply_changes(spec, made), made) if made else spec


def problems(path: Path) -> list[str]:
    with pytest.raises(InputErrors) as caught:
        read_study(path)
    return [str(problem).replace(str(path), path.name) for problem in caught.value.problems]


def test_a_blank_control_changes_nothing(tmp_path):
    same, spec = read_study(workbook(tmp_path, {})), read_study(BASE)

    assert same.input_hash == spec.input_hash
    assert (same.changes, same.scenario, same.warnings) == ((), "", spec.warnings)


@pytest.mark.parametrize(
    ("choices", "changes", "scenario"),
    [
        ({"scenario": "Short horizon"}, {}, "Short horizon"),
        ({"scenario": "Weibull responders", "draw": 0}, {}, "Weibull responders"),
        ({"horizon": 3}, {"horizon": "3 years"}, ""),
        ({"horizon": "18 months"}, {"horizon": "18 months"}, ""),
        ({"cycle_length": 0.25}, {"cycle_length": "0.25 years"}, ""),
        ({"discount_rate_costs": 0.05}, {"discount_rate_costs": "0.05"}, ""),
        ({"discount_rate_costs": "4%; from 3: 2%"}, {"discount_rate_costs": "4%; from 3: 2%"}, ""),
        (
            {"cycle_correction": "start", "smr": 1.5},
            {"cycle_correction": "start", "smr": "1.5"},
            "",
        ),
        ({"threshold 2": 150000}, {"thresholds": "50000; 150000"}, ""),
        ({"threshold 1": 0.5, "threshold 2": 30000}, {"thresholds": "0.5; 30000"}, ""),
        ({"threshold 1": 200000}, {"thresholds": "100000; 200000"}, ""),
        (
            {"curve:new.os.responder": "new_os_r_weibull"},
            {"curve:new.os.responder": "new_os_r_weibull"},
            "",
        ),
        ({"scenario": "Short horizon", "horizon": 4}, {"horizon": "4 years"}, "Short horizon"),
        ({"scenario": "Short horizon", "horizon": 5}, {"horizon": "5 years"}, "Short horizon"),
        ({"scenario": "Half price", "smr": 2}, {"smr": "2"}, "Half price"),
    ],
)
def test_choices_are_those_of_scenario_and_set(tmp_path, choices, changes, scenario):
    spec, expected = read_study(workbook(tmp_path, choices)), by_hand(changes, scenario)

    assert spec.changes == expected.changes
    assert spec.changes != ()
    assert spec.tables == expected.tables
    assert spec.input_hash == expected.input_hash
    assert spec.scenario == scenario
    assert spec.settings.thresholds == expected.settings.thresholds
    assert spec.settings.horizon == expected.settings.horizon
    assert [c.id for c in spec.curves if c.use] == [c.id for c in expected.curves if c.use]
    assert {i: p.value for i, p in spec.parameters.items()} == {
        i: p.value for i, p in expected.parameters.items()
    }


@pytest.mark.parametrize(
    "choices",
    [
        {"horizon": 5},
        {"horizon": "60 months"},
        {"discount_rate_costs": 0.03},
        {"threshold 1": 50000.0, "threshold 2": 100000},
        {"threshold 1": 100000, "threshold 2": 50000},
        {"curve:new.os.responder": "new_os_r"},
        {"age_adjusted_utilities": "no", "smr": 1, "draw": 0},
    ],
)
def test_a_choice_of_what_is_there_already_is_no_change(tmp_path, choices):
    spec = read_study(workbook(tmp_path, choices))

    assert spec.changes == ()
    assert spec.input_hash == read_study(BASE).input_hash


@pytest.mark.parametrize("scenario", [None, "Half price"])
def test_a_chosen_draw_is_left_aside_and_said(tmp_path, scenario):
    path = workbook(tmp_path, {"draw": 17, "scenario": scenario})
    spec = read_study(path)

    (warning,) = (w for w in spec.warnings if w.place.sheet == "Control")
    assert str(warning).startswith(f"{path}[Control], cell E8, column your choice: draw 17 is")
    assert "left aside" in warning.message
    assert spec.input_hash == by_hand({}, scenario or "").input_hash
    assert spec.changes == ((f"scenario '{scenario}'",) if scenario else ())


def test_every_bad_choice_is_reported_with_its_cell(tmp_path):
    path = workbook(
        tmp_path,
        {
            "scenario": "Short horizn",
            "draw": 1.5,
            "horizon": "3 parsecs",
            "cycle_length": -1,
            "discount_rate_costs": 3,
            "cycle_correction": "both",
            "age_adjusted_utilities": "maybe",
            "smr": "two",
            "threshold 1": "many",
            "threshold 3": 5,
            "curve:new.os.responder": "new_os_r_weibul",
            "horizn": 3,
            "c_drug": 4,
            "curve:new.os": "x",
            "currency": "EUR",
        },
    )
    found = problems(path)

    units = "day, week, month, year"
    expected = {
        "E7": "scenario: there is no scenario 'Short horizn'; did you mean `Short horizon`?",
        "E8": "draw: found '1.5'; allowed: 0 or blank for none, or the number of a draw",
        "E9": f"horizon: `parsecs` is not a time unit; allowed: {units}",
        "E10": "cycle_length: found '-1 years'; the time must be longer than 0",
        "E11": "discount_rate_costs: found '3', which is 300%; write 3% or 0.03",
        "E12": "cycle_correction: found 'both'; allowed: trapezoid, start, end",
        "E13": "age_adjusted_utilities: expected `yes` or `no`, found 'maybe'",
        "E14": "smr: `two` is not a parameter",
        "E15": "threshold 1: expected a number, found 'many'",
        "E17": "curve:new.os.responder: `new_os_r_weibul` is not a candidate; did you mean "
        "`new_os_r_weibull`?",
        "E18": "threshold 3: the study has 2 thresholds; add one to the table `settings`",
        "E19": "`horizn` is not a choice of this sheet; did you mean `horizon`?",
        "E20": "`c_drug` is not a choice of this sheet; a parameter is changed in the table "
        "`parameters`",
        "E21": "curve:new.os: there is no such curve; did you mean `curve:new.os.responder`?",
        "E22": "currency: this setting cannot be changed here; change the table `settings`",
    }
    where = "base.xlsx[Control], cell {}, column your choice: {}"
    assert sorted(found) == sorted(where.format(cell, text) for cell, text in expected.items())


def test_what_the_changed_study_fails_points_at_the_choice(tmp_path):
    path = workbook(tmp_path, {"cycle_correction": None})
    book = openpyxl.load_workbook(path)
    book["Control"].cell(FIRST + len(KEYS), 1, "background_mortality")
    book["Control"].cell(FIRST + len(KEYS), 5, "floor")
    book.save(path)
    (found,) = problems(path)

    assert found.startswith("base.xlsx[Control], cell E18, column your choice: ")
    assert "life_table" in found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("=1/0", "a formula without a stored value; open and save the workbook in Excel first"),
        ("#REF!", "found the spreadsheet error #REF!; mend the formula or type the value"),
    ],
)
def test_spoiled_cells_are_reported(tmp_path, value, message):
    path = workbook(tmp_path, {"horizon": value, "smr": "-"})

    assert f"base.xlsx[Control], cell E9, column your choice: {message}" in problems(path)
    assert len(problems(path)) == 2


def test_problems_of_tables_and_of_control_cells_come_together(tmp_path):
    path = workbook(tmp_path, {"horizon": "=1/0"})
    book = openpyxl.load_workbook(path)
    book["curves"]["B2"] = "nobody"
    book.save(path)
    found = problems(path)

    assert [text.split(":")[0] for text in found] == [
        "base.xlsx[Control], cell E9, column your choice",
        "base.xlsx[curves], cell B2, column strategy",
    ]


def test_a_key_chosen_twice_and_a_choice_beside_no_key(tmp_path):
    path = workbook(tmp_path, {"horizon": 3})
    book = openpyxl.load_workbook(path)
    sheet = book["Control"]
    sheet["A20"], sheet["E20"], sheet["E21"] = "horizon", 4, "stray"
    book.save(path)

    assert problems(path) == [
        "base.xlsx[Control], cell E20, column your choice: `horizon` is chosen twice; the first is "
        "in cell E9",
        "base.xlsx[Control], cell E21, column your choice: found 'stray' beside no key",
    ]


def test_a_control_without_its_heading_is_said_to_be_unread(tmp_path):
    path = workbook(tmp_path, {"horizon": 3})
    book = openpyxl.load_workbook(path)
    book["Control"].cell(FIRST - 1, 5, "mine")
    book.save(path)
    spec = read_study(path)

    assert spec.changes == ()
    (warning,) = (w for w in spec.warnings if w.place.sheet == "Control")
    assert warning.message == (
        "no row is headed `key` with a column `your choice`; no choice is read from here"
    )


def test_options_of_the_command_line_come_on_top(tmp_path):
    path = workbook(tmp_path, {"horizon": 3, "smr": 2})
    spec = options.load(path, "Half price", ["horizon=4 years"])

    assert spec.changes == (
        "horizon = 3 years",
        "smr = 2",
        "scenario 'Half price'",
        "horizon = 4 years",
    )
    assert spec.settings.horizon == 4
    assert spec.parameters["c_drug"].value == 10000


def test_a_second_scenario_is_an_error(tmp_path):
    path = workbook(tmp_path, {"scenario": "Short horizon"})

    with pytest.raises(InputErrors, match=r"chooses the scenario 'Short horizon' already; clear"):
        options.load(path, "Half price")


def test_a_folder_and_a_workbook_without_control_have_no_choices(tmp_path):
    path = workbook(tmp_path, {"horizon": 3}, title="Notes")
    spec = read_study(path)

    assert spec.changes == ()
    assert any("`Notes` is not an input table" in str(w) for w in spec.warnings)
