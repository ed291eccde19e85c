"""Reading sound studies: CSV and workbook alike, comments, encodings, hashes, changes."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from heor.errors import InputErrors, Place
from heor.spec.reader import apply_changes, read_study, shipped_studies
from heor.spec.records import FAMILIES, UNITS_PER_YEAR, Change, Spec
from heor.spec.schema import REPORT_SHEETS, TABLES
from heor.spec.tables import read_tables
from heor.spec.values import is_number

BASE = Path(__file__).parents[1] / "bad_inputs" / "base"


def change(target: str, value: str) -> Change:
    return Change(target=target, value=value, place=Place("--set"))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "study"))


@pytest.fixture
def spec() -> Spec:
    return read_study(BASE)


def write_workbook(
    path: Path, edit: Callable[[openpyxl.Workbook], None] = lambda book: None
) -> Path:
    """Write the base study as a workbook, numbers as numbers."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, table in read_tables(BASE).items():
        sheet = book.create_sheet(name)
        sheet.append(table.columns)
        for row in table.rows:
            sheet.append([float(t) if is_number(t) else t or None for t in row])
    edit(book)
    book.save(path)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(InputErrors) as caught:
        read_study(path)
    return [str(problem).replace(str(path), path.name) for problem in caught.value.problems]


# --- sound studies ----------------------------------------------------------------------------


def test_the_small_study_becomes_records(spec: Spec) -> None:
    assert spec.name == "base"
    assert spec.settings.cycle_length == 1 / 12
    assert spec.settings.thresholds == (50000.0, 100000.0)
    assert spec.strategy_ids() == ("old", "new")
    assert spec.nested_endpoints == ("response", "pfs", "os")
    assert spec.dead_state.id == "dead"
    assert spec.parameters["os_rate"].value == math.log(2) / 14
    assert spec.parameters["os_rate"].distribution is None
    assert spec.parameters["orr"].place.row == 2
    assert [c.id for c in spec.curves_in_use("new")] == [
        "new_response",
        "new_pfs_r",
        "new_pfs_n",
        "new_os_r",
        "new_os_n",
    ]
    assert spec.curves_in_use("old")[0].group == "all"
    assert spec.curves_in_use("old")[0].weight.number == 1.0
    later = spec.utilities[3]
    assert (later.start, later.until, later.time_unit) == (24.0, None, "month")
    assert spec.scenarios[1].changes[0].target == "curve:new.os.responder"
    assert spec.correlations[0].value == 0.2
    assert len(spec.input_hash) == 64


def test_a_missing_interval_is_the_distributions_quantiles(spec: Spec) -> None:
    parameter = spec.parameters["u_pf"]

    assert parameter.distribution is not None
    assert parameter.low == parameter.distribution.quantile(0.025)
    assert parameter.high == parameter.distribution.quantile(0.975)


@pytest.mark.parametrize("name", ["lifileucel_nsclc", "three_strategies"])
def test_shipped_studies_are_sound(name: str) -> None:
    shipped = read_study(shipped_studies() / name)

    assert shipped.name == name
    assert len(shipped.strategies) >= 2


def test_workbook_gives_the_same_study(tmp_path: Path, spec: Spec) -> None:
    same = read_study(write_workbook(tmp_path / "base.xlsx"))

    assert same.name == "base"
    assert same.input_hash == spec.input_hash
    assert same.tables == spec.tables
    assert list(same.parameters) == list(spec.parameters)
    for name, parameter in spec.parameters.items():
        assert same.parameters[name].value == parameter.value
        assert same.parameters[name].distribution == parameter.distribution
    assert [c.parameters for c in same.curves] == [c.parameters for c in spec.curves]
    assert same.parameters["orr"].place.sheet == "parameters"


def test_report_sheets_calc_sheets_and_calc_columns_are_ignored(tmp_path: Path, spec: Spec) -> None:
    def edit(book: openpyxl.Workbook) -> None:
        book.create_sheet("Cover")["A1"] = "=1/0"
        book.create_sheet("Calc Trace old")["A1"] = "anything"
        sheet = book["parameters"]
        sheet.cell(1, sheet.max_column + 1, "calc: live value")
        sheet.cell(2, sheet.max_column, "=D2")
        costs = book["costs"]
        costs.title = "renamed"
        costs.title = "Costs"

    same = read_study(write_workbook(tmp_path / "report.xlsx", edit))

    assert same.input_hash == spec.input_hash


def test_byte_order_mark_comments_and_blank_rows(study: Path, spec: Spec) -> None:
    path = study / "strategies.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(
        ["# a comment, with commas", lines[0], "", '"# quoted, comment",,', *lines[1:]]
    )
    path.write_text(text, encoding="utf-8-sig", newline="\r\n")

    same = read_study(study)

    assert same.input_hash == spec.input_hash
    assert [s.place.row for s in same.strategies] == [5, 6]


def test_hash_sees_a_value_but_not_how_it_is_written(study: Path, spec: Spec) -> None:
    path = study / "parameters.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("20000,USD", "2.0e4,USD"), encoding="utf-8")
    assert read_study(study).input_hash == spec.input_hash

    path.write_text(text.replace("20000,USD", "20001,USD"), encoding="utf-8")
    assert read_study(study).input_hash != spec.input_hash


def test_joint_draws_and_shares(study: Path) -> None:
    parameters = study / "parameters.csv"
    text = parameters.read_text(encoding="utf-8")
    text = text.replace("0.3,proportion,0.2,0.4,beta,,30,70", "0.3,proportion,,,empirical,,,")
    text += "a,A,,0.25,proportion,,,dirichlet,,5,,mix,,trial,published,\n"
    text += "b,B,,0.75,proportion,,,dirichlet,,15,,mix,,trial,published,\n"
    parameters.write_text(text, encoding="utf-8")
    (study / "draws.csv").write_text("orr\n0.28\n0.32\n0.3\n", encoding="utf-8")
    (study / "correlations.csv").unlink()

    spec = read_study(study)

    np.testing.assert_array_equal(spec.empirical["orr"], [0.28, 0.32, 0.3])
    assert spec.parameters["orr"].distribution.parameters == (0.28, 0.3, 0.32)
    assert spec.parameters["a"].distribution.parameters == (5.0, 15.0)
    assert spec.parameters["b"].distribution.parameters == (15.0, 5.0)


def test_evidence_tables(study: Path) -> None:
    (study / "km.csv").write_text(
        "strategy,endpoint,group,time,survival,at_risk,events,time_unit,source\n"
        "old,os,,0,1,100,0,months,trial\nold,os,,6,0.8,,20,month,trial\n",
        encoding="utf-8",
    )
    (study / "life_table.csv").write_text(
        "age,male,female,utility_male,utility_female\n60,0.01,0.02,,0.8\n61,1,1,0.7,0.8\n",
        encoding="utf-8",
    )
    (study / "validation_targets.csv").write_text(
        "label,strategy,endpoint,group,time,time_unit,value,low,high,source,used_in_fitting\n"
        "Median OS,old,os,,,month,14,12,16,trial,yes\n",
        encoding="utf-8",
    )

    spec = read_study(study)

    km = spec.km["old", "os", "all"]
    assert km.time_unit == "month"
    np.testing.assert_array_equal(km.survival, [1.0, 0.8])
    np.testing.assert_array_equal(km.at_risk, [100.0, np.nan])
    assert spec.life_table is not None
    np.testing.assert_array_equal(spec.life_table.utility_male, [np.nan, 0.7])
    target = spec.validation_targets[0]
    assert (target.group, target.time, target.value, target.used_in_fitting) == (
        "all",
        None,
        14.0,
        True,
    )


def test_ambiguous_powers_warn(study: Path) -> None:
    path = study / "costs.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("5000", "2^2^3"), encoding="utf-8")

    (warning,) = read_study(study).warnings

    assert warning.place.column == "amount"
    assert warning.message.startswith("later: '2^2^3' is ambiguous")


# --- what cannot be read -----------------------------------------------------------------------


def test_a_sheet_of_notes_is_left_unread_with_a_warning(tmp_path: Path, spec: Spec) -> None:
    path = write_workbook(tmp_path / "base.xlsx", lambda book: book.create_sheet("my notes"))

    found = read_study(path)

    assert found.input_hash == spec.input_hash
    assert [str(warning) for warning in found.warnings] == [
        f"{path}[my notes]: sheet `my notes` is not an input table and is not read"
    ]


def test_a_workbook_without_tables(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    openpyxl.Workbook().save(path)

    assert problems(path) == [
        "book.xlsx: no sheet of this workbook is an input table; a sheet has the table's name"
    ]


def test_a_study_without_the_table_of_costs_is_warned_of(study: Path) -> None:
    (study / "costs.csv").unlink()
    assert read_study(study).warnings == ()  # its adverse event costs something
    (study / "adverse_events.csv").unlink()

    assert [str(warning) for warning in read_study(study).warnings] == [
        f"{study}: no cost items: every strategy costs 0"
    ]


def test_no_such_study() -> None:
    assert problems(Path("nowhere")) == ["nowhere: there is no such folder or file"]


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "study.txt"
    path.write_text("")
    assert problems(path) == ["study.txt: give a folder of CSV tables or one .xlsx workbook"]


def test_folder_without_tables_names_a_workbook_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert problems(folder) == ["empty: no CSV tables in this folder"]
    write_workbook(folder / "model.xlsx")
    (found,) = problems(folder)
    assert found.startswith("empty: no CSV tables in this folder; to read a workbook, name it:")


def test_a_text_file_named_xlsx(tmp_path: Path) -> None:
    path = tmp_path / "study.xlsx"
    path.write_text("id,label")
    assert problems(path) == [
        "study.xlsx: cannot be opened as an .xlsx workbook (File is not a zip file)"
    ]


@pytest.mark.parametrize(("se", "sound"), [(0.0456, True), (0.0460, True), (0.0462, False)])
def test_a_standard_error_beside_a_and_b_is_their_sd_within_1_percent(
    study: Path, se: float, sound: bool
) -> None:
    table = study / "parameters.csv"  # the SD of beta(30, 70) is 0.045598
    table.write_text(table.read_text().replace("beta,,30,70", f"beta,{se},30,70"))

    assert sound or problems(study) == [
        f"study/parameters.csv, row 2, column se: orr: se {se:g} is not the SD of"
        " beta(alpha=30, beta=70), 0.0455983; leave it blank"
    ]
    assert not sound or read_study(study).parameters["orr"].distribution is not None


def test_missing_tables_are_named_once(study: Path) -> None:
    (study / "parameters.csv").unlink()
    (study / "states.csv").unlink()
    assert problems(study) == [
        "study: the table `parameters` is missing (a row is one uncertain, fixed or derived"
        " number)",
        "study: the table `states` is missing (a row is one health state, best to worst)",
    ]


WORKBOOK_MISTAKES = {
    "a formula without a stored value": (
        lambda book: book["parameters"].__setitem__("D2", "=0.1+0.2"),
        "base.xlsx[parameters], cell D2, column value: a formula without a stored value; open and"
        " save the workbook in Excel first",
    ),
    "a date": (
        lambda book: book["parameters"].__setitem__("J2", dt.datetime(2025, 1, 3)),
        "base.xlsx[parameters], cell J2, column a: orr: found '2025-01-03'; this is a date or time;"
        " a number belongs here (a spreadsheet may have changed it)",
    ),
    "a yes/no value": (
        lambda book: book["parameters"].__setitem__("J2", True),
        "base.xlsx[parameters], cell J2, column a: orr: found 'TRUE'; a number belongs here, not a"
        " yes/no value",
    ),
    "an error value": (
        lambda book: book["parameters"].__setitem__("J2", "#DIV/0!"),
        "base.xlsx[parameters], cell J2, column a: found the spreadsheet error #DIV/0!; mend the"
        " formula or type the value",
    ),
    "a number typed as text": (
        lambda book: book["parameters"].__setitem__("D10", "20 000"),
        "base.xlsx[parameters], cell D10, column value: c_drug: found '20 000'; write the number"
        " without thousands separators",
    ),
    "a misspelt sheet": (
        lambda book: book.create_sheet("agrements"),
        "base.xlsx[agrements]: `agrements` is not an input table; did you mean `agreements`?",
    ),
}


@pytest.mark.parametrize("mistake", WORKBOOK_MISTAKES)
def test_workbook_mistakes_name_the_cell(mistake: str, tmp_path: Path) -> None:
    edit, message = WORKBOOK_MISTAKES[mistake]

    assert problems(write_workbook(tmp_path / "base.xlsx", edit)) == [message]


# --- changes ----------------------------------------------------------------------------------


def test_a_changed_parameter_is_fixed_and_its_formulas_follow(spec: Spec) -> None:
    changed = apply_changes(spec, [change("os_median", "20")])

    parameter = changed.parameters["os_median"]
    assert (parameter.value, parameter.low, parameter.high) == (20.0, None, None)
    assert parameter.distribution is None
    assert changed.parameters["os_rate"].value == math.log(2) / 20
    assert spec.parameters["os_median"].value == 14.0


def test_a_parameter_can_become_a_formula(spec: Spec) -> None:
    changed = apply_changes(spec, [change("os_median", "2 * pfs_scale")])

    assert changed.parameters["os_median"].value == 16.0
    assert changed.parameters["os_median"].expression is not None


def test_a_changed_derived_parameter_is_a_number(spec: Spec) -> None:
    changed = apply_changes(spec, [change("os_rate", "0.1")])

    assert changed.parameters["os_rate"].expression is None
    assert changed.parameters["os_rate"].value == 0.1


def test_a_changed_setting_is_read_as_in_the_table(spec: Spec) -> None:
    changes = [change("horizon", "18 months"), change("discount_rate_costs", "3.5%; from 1: 3%")]

    settings = apply_changes(spec, changes).settings

    assert settings.horizon == 1.5
    assert settings.discount_rate_costs.later == 0.03
    assert settings.origin["horizon"] == ("18 months", "change")


def test_a_changed_curve_takes_the_place_of_the_other(spec: Spec) -> None:
    changed = apply_changes(spec, [change("curve:new.os.responder", "new_os_r_weibull")])

    assert [c.id for c in changed.curves_in_use("new") if c.endpoint == "os"] == [
        "new_os_r_weibull",
        "new_os_n",
    ]


@pytest.mark.parametrize(
    ("target", "value", "message"),
    [
        (
            "horizn",
            "1 year",
            "`horizn` is not a parameter, a setting or a curve; did you mean `horizon`?",
        ),
        ("orr", "0,3", "orr: found '0,3'; write decimals with a point: 0.3"),
        ("orr", "os_medain", "orr: `os_medain` is not a parameter; did you mean `os_median`?"),
        ("os_median", "ln(2)/os_rate", "circular: os_rate → os_median → os_rate"),
        (
            "reference",
            "nwe",
            "reference: `nwe` is not a strategy; did you mean `new`?",
        ),
        ("reference", "xyz", "reference: `xyz` is not a strategy; allowed: old, new"),
        ("c_drug", "1/0", "c_drug: '1/0' is not a finite number at the base case (inf)"),
        (
            "curve:new.os.all",
            "x",
            "curve:new.os.all: there is no such curve; did you mean `curve:old.os.all`?",
        ),
        (
            "agency",
            "nice",
            "agency: this setting cannot be changed here; change the table `settings`",
        ),
    ],
)
def test_changes_that_cannot_be_made(spec: Spec, target: str, value: str, message: str) -> None:
    with pytest.raises(InputErrors) as caught:
        apply_changes(spec, [change(target, value)])

    assert str(caught.value) == f"--set: {message}"


def test_warnings_of_changes_are_the_studys(spec: Spec) -> None:
    odd = apply_changes(spec, [change("c_drug", "-5"), change("horizon", "2000 years")])

    assert [str(warning) for warning in odd.warnings] == [
        "--set: horizon: 2000 years is longer than 100 years",
        f"--set: with `c_drug` and `horizon` changed, {BASE / 'costs.csv'}, row 2, column amount:"
        " new_drug: the amount is -5 at the base case, a saving",
    ]
    assert [str(w) for w in apply_changes(spec, [change("c_drug", "2^3^2")]).warnings] == [
        "--set: c_drug: '2^3^2' is ambiguous: as in Excel, powers are taken from the left; add"
        " brackets to say what is meant"
    ]


def test_a_warning_goes_with_the_value_it_was_of(study: Path) -> None:
    table = study / "parameters.csv"
    table.write_text(table.read_text().replace("0.2,0.4,beta", "0.35,0.4,beta"))
    spec = read_study(study)
    assert len(spec.warnings) == 1

    assert apply_changes(spec, [change("hr", "1")]).warnings == spec.warnings
    assert apply_changes(spec, [change("orr", "0.37")]).warnings == ()


def test_no_changes_change_nothing(spec: Spec) -> None:
    assert apply_changes(spec, []) == spec


# --- schema -----------------------------------------------------------------------------------


def test_no_report_sheet_clashes_with_a_table() -> None:
    assert not {title.lower() for title in REPORT_SHEETS} & set(TABLES)


def test_closed_lists_of_the_schema_are_those_of_the_records() -> None:
    curves = {column.name: column for column in TABLES["curves"].columns}

    assert set(FAMILIES) <= set(curves["family"].choices)
    assert curves["time_unit"].choices == tuple(UNITS_PER_YEAR)
