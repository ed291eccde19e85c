"""The report workbook of a whole study: complete, safe, readable again, right when recalculated."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace

import openpyxl
import pytest
from libreoffice import recalculate, recalculates

from heor.analyses import base_case
from heor.errors import Place
from heor.report.sheets import psa
from heor.report.workbook import FRONT, SHEETS, write_report
from heor.spec.changed_tables import with_tables
from heor.spec.changes import apply_changes
from heor.spec.reader import read_study, shipped_studies
from heor.spec.records import Change
from heor.study import Plan, run_study

DRAWS = 40
NEWER = re.compile(r"_xlfn|\b(LET|LAMBDA|XLOOKUP|IFS|TEXTJOIN|FILTER|SORT|UNIQUE|SEQUENCE)\(")
UNSAFE = re.compile(
    r"\b(HYPERLINK|WEBSERVICE|INDIRECT|OFFSET|NOW|TODAY|RAND|RANDBETWEEN|CELL|INFO|DDE|RTD|CALL)\("
)


#: Ids of the example study renamed to ones that a spreadsheet reads as cells.
RENAMED = {"pfs_rate": "r", "hr_os_low": "HR1", "price_low": "c1", "price_high": "os24"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "three"
    folder.mkdir()
    for file in (shipped_studies() / "three_strategies").glob("*.csv"):
        text = file.read_text("utf-8")
        for old, new in RENAMED.items():
            text = re.sub(rf"\b{old}\b", new, text)
        (folder / file.name).write_text(text, "utf-8")
    return run_study(read_study(folder), Plan(draws=DRAWS))


@pytest.fixture(scope="module")
def report(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.xlsx"
    write_report(results, path)
    return path


@pytest.fixture(scope="module")
def values(report):
    return openpyxl.load_workbook(report, data_only=True)


@pytest.fixture(scope="module")
def formulas(report):
    return openpyxl.load_workbook(report)


def every_formula(book):
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    yield sheet.title, cell.coordinate, cell.value


def find(sheet, text, column=1):
    """Row of the first cell of a column with a text."""
    return next(row for row in range(1, sheet.max_row + 1) if sheet.cell(row, column).value == text)


def results_among(book, spec):
    """Sheets of results; inputs, calculations and front matter name no seed and no draws."""
    others = {*spec.tables, *(kind.title for kind in FRONT)}
    found = [s for s in book if s.title not in others and not s.title.startswith("Calc ")]
    assert len(found) >= 4
    return found


def test_sheets_stand_in_order(results, values):
    def titles_of(kinds):
        for kind in kinds:
            if not kind.wanted(results):
                continue
            if kind.each:
                yield from (f"{kind.title} {s}" for s in results.spec.strategy_ids())
            else:
                yield kind.title

    wanted = [*titles_of(FRONT), *results.spec.tables, *titles_of(SHEETS)]
    assert values.sheetnames == wanted
    contents = values["Contents"]
    linked = [cell.value for cell in contents["A"] if cell.hyperlink]
    assert linked == wanted
    assert [cell.hyperlink.location for cell in contents["A"] if cell.hyperlink] == [
        f"'{title}'!A1" for title in wanted
    ]
    meanings = [contents.cell(cell.row, 2).value for cell in contents["A"] if cell.hyperlink]
    assert all(text.endswith(".") for text in meanings)


def test_every_formula_has_a_value(values, formulas):
    found = list(every_formula(formulas))
    assert len(found) > 3000
    empty = [place for place in found if values[place[0]][place[1]].value is None]
    links = re.compile(r"='[^']+'!\$[A-Z]+\$\d+")
    texts = [text for _, _, text in empty if '""' in text or links.fullmatch(text)]
    assert len(texts) == len(empty), "only a text may be empty"
    for sheet in values:
        for row in sheet.iter_rows(values_only=True):
            assert not [v for v in row if isinstance(v, str) and v.startswith("#")], sheet.title


def test_formulas_are_old_safe_and_short(formulas):
    for title, place, text in every_formula(formulas):
        assert not NEWER.search(text), (title, place, text)
        assert not UNSAFE.search(text), (title, place, text)
        assert "[" not in text
        assert len(text) <= 8192


def test_the_scanners_can_fail():
    assert NEWER.search("=_xlfn.IFS(A1)")
    assert NEWER.search("=LET(x,1,x)")
    assert UNSAFE.search("=1+RAND()")


def test_formulas_hold_no_numbers_but_0_and_1(formulas):
    for title, place, text in every_formula(formulas):
        if title in ("parameters", "curves", "utilities", "costs", "adverse_events", "budget"):
            continue  # the user's own expressions
        plain = re.sub(r"'[^']*'!|\"[^\"]*\"", "", text)
        plain = re.sub(r"\$?[A-Z]{1,3}\$?\d+", "", plain)
        assert set(re.findall(r"\d+(?:\.\d+)?", plain)) <= {"0", "1"}, (title, place, text)


def test_unsafe_ids_have_safe_names_and_live_values(results, values, formulas):
    sheet = values["parameters"]
    headings = [cell.value for cell in sheet[1]]
    ids, names = headings.index("id"), headings.index("calc: name")
    mapping = {row[ids]: row[names] for row in sheet.iter_rows(min_row=2, values_only=True)}
    assert set(mapping) == set(results.spec.parameters)
    assert all(mapping[new] == new + "_" for new in RENAMED.values())
    assert set(mapping.values()) == set(formulas.defined_names)
    live = headings.index("calc: base value")
    for row in sheet.iter_rows(min_row=2, values_only=True):
        assert row[live] == results.spec.parameters[row[ids]].value


def test_nothing_hidden_protected_linked_or_active(report, values):
    assert all(sheet.sheet_state == "visible" for sheet in values)
    assert not any(sheet.protection.sheet for sheet in values)
    assert values.active.title == "Cover"
    with zipfile.ZipFile(report) as archive:
        names = archive.namelist()
    assert not [n for n in names if "vba" in n.lower() or "externalLink" in n]


def test_every_result_sheet_says_where_it_came_from(results, values):
    spec = results.spec
    for sheet in results_among(values, spec):
        head = " ".join(str(sheet.cell(row, 1).value) for row in (1, 2, 3))
        assert f"heor {results.version}" in head, sheet.title
        assert spec.input_hash[:16] in head, sheet.title
        assert str(results.psa.seed) in head, sheet.title
        assert "Research model" in head, sheet.title
        assert "computed by heor" in head, sheet.title
    for title in ("PSA summary", "PSA results", "PSA draws", "CE plane", "CEAC & CEAF", "EVPI"):
        assert f"{DRAWS} draws" in values[title]["A3"].value


def test_cover_shows_the_headline_and_the_warnings(results, values):
    cover = values["Cover"]
    texts = [cell.value for row in cover.iter_rows() for cell in row if cell.value is not None]
    for line in results.banner:
        assert line in texts
    assert results.spec.input_hash in texts
    pair = next(p for p in results.base.pairwise if p.id == "high_dose")
    for words in ("as shown now", "base case of the run"):
        row = find(cover, f"New drug at high dose, {words}")
        assert cover.cell(row, 2).value == pytest.approx(pair.delta_cost, rel=1e-11)
        assert cover.cell(row, 3).value == pytest.approx(pair.delta_qaly, rel=1e-11)
        assert cover.cell(row, 5).value == pytest.approx(pair.icer, rel=1e-11)
    assert cover.cell(find(cover, "Shown now"), 2).value == "base case"
    assert "all pass" in texts
    assert "as in the run" in texts


def test_results_are_the_engine_s(results, values):
    sheet = values["Results"]
    row = find(sheet, "Totals per patient") + 3
    for offset, totals in enumerate(results.base.strategies):
        cells = [sheet.cell(row + offset, column).value for column in range(2, 9)]
        wanted = (
            totals.cost,
            totals.ly,
            totals.qaly,
            totals.evly,
            totals.cost_undiscounted,
            totals.ly_undiscounted,
            totals.qaly_undiscounted,
        )
        assert cells == pytest.approx(wanted, rel=1e-14)
    row = find(sheet, "Fully incremental analysis") + 3
    for offset, one in enumerate(results.base.incremental):
        icer = sheet.cell(row + offset, 7).value
        assert icer == ("–" if one.icer is None else pytest.approx(one.icer, rel=1e-14))
    assert "extendedly dominated by" in sheet.cell(row + 2, 8).value


def test_every_draw_is_stored(results, values):
    sheet, outcomes = values["PSA results"], results.psa.outcomes
    columns = [(name, s) for name, _, _ in psa.OUTCOMES for s in results.spec.strategy_ids()]
    for draw in (1, DRAWS):
        row = [sheet.cell(psa.RESULTS_ROW + draw, 1 + n).value for n in range(len(columns) + 1)]
        wanted = [draw, *(outcomes.of(s, name)[draw - 1] for name, s in columns)]
        assert row == pytest.approx(wanted, rel=1e-14)
    assert sheet.cell(psa.RESULTS_ROW + DRAWS + 1, 1).value is None


def test_charts_are_native_with_titles_and_alt_text(report):
    with zipfile.ZipFile(report) as archive:
        charts = [n for n in archive.namelist() if n.startswith("xl/charts/chart")]
        drawings = [n for n in archive.namelist() if n.startswith("xl/drawings/drawing")]
        assert len(charts) >= 15
        for name in charts:
            text = archive.read(name).decode()
            assert text.count("<c:title>") == 3, f"{name}: a title and two axis titles"
            assert "<c:numCache>" in text
        for name in drawings:
            text = archive.read(name).decode()
            assert text.count("descr=") == text.count("<c:chart ")


def test_the_report_reads_back_as_the_same_study(results, report):
    again = read_study(report)
    assert again.input_hash == results.spec.input_hash
    assert (base_case.run(again).outcomes.values == results.base.outcomes.values).all()


def test_a_plan_without_analyses_has_no_sheets_for_them(results, tmp_path):
    path = tmp_path / "base.xlsx"
    plan = Plan(skip=("accrual", "scenarios", "dsa", "psa"))
    write_report(run_study(results.spec, plan), path)
    titles = openpyxl.load_workbook(path, read_only=True).sheetnames
    assert "Results" in titles
    assert not {"DSA", "Scenario results", "PSA results", "EVPI"} & set(titles)


def test_changed_values_are_said(results, tmp_path):
    change = Change(target="r", value="0.05", place=Place("--set"))
    changed = with_tables(apply_changes(results.spec, [change]), [change])
    path = tmp_path / "changed.xlsx"
    write_report(run_study(changed, Plan(skip=("scenarios", "dsa", "psa"))), path)
    book = openpyxl.load_workbook(path, data_only=True)
    assert changed.changes == ("r = 0.05",)
    said = "Not the base case: r = 0.05."
    for sheet in results_among(book, changed):
        assert sheet["A2"].value.startswith(said), sheet.title
    cover, checks = book["Cover"], book["Verification"]
    first = find(cover, "Read first: research model") + 1
    assert cover.cell(first, 1).value == "Not the study's base case: r = 0.05"
    assert checks.cell(find(checks, "Changes"), 2).value == "r = 0.05"


def test_a_study_whose_tables_hold_other_values_is_refused(results, tmp_path):
    change = Change(target="r", value="0.05", place=Place("--set"))
    changed = apply_changes(results.spec, [change])
    assert changed.tables == results.spec.tables
    path = tmp_path / "changed.xlsx"
    with pytest.raises(ValueError, match=r"r is 0\.05 in the study but .* in its tables"):
        write_report(run_study(changed, Plan(skip=("scenarios", "dsa", "psa"))), path)
    assert not path.exists()


def test_long_changes_are_cut_in_heads(results, tmp_path):
    spec = replace(results.spec, changes=tuple(f"parameter_{n} = {n}" for n in range(40)))
    path = tmp_path / "changed.xlsx"
    write_report(replace(results, spec=spec), path)
    text = openpyxl.load_workbook(path, data_only=True)["Results"]["A2"].value
    said = text[: text.index("Research model")].strip()
    assert said.startswith("Not the base case: parameter_0 = 0; parameter_1 = 1")
    assert said.endswith("….")
    assert len("Not the base case: ") + 95 < len(said) <= len("Not the base case: ") + 100 + 1


def test_a_study_without_a_banner_is_not_called_a_research_model(results, tmp_path):
    settings = replace(results.spec.settings, banner="")
    plain = replace(results, spec=replace(results.spec, settings=settings))
    path = tmp_path / "plain.xlsx"
    write_report(replace(plain, banner=results.banner[1:]), path)
    book = openpyxl.load_workbook(path, data_only=True)
    texts = [str(cell.value) for row in book["Cover"].iter_rows() for cell in row]
    assert "Read first" in texts
    heads = [sheet["A2"].value for sheet in book if sheet.title not in plain.spec.tables]
    assert not [text for text in [*texts, *heads] if text and "esearch model" in text]


# --- recalculation -------------------------------------------------------------------------------


@pytest.mark.libreoffice
def test_recalculation_would_mend_a_wrong_value(tmp_path):
    """The control: without it, a spreadsheet that never recalculates would pass the next test."""
    assert recalculates(tmp_path)


@pytest.mark.libreoffice
@pytest.mark.slow
def test_every_formula_recalculates_to_its_stored_value(report, values, formulas, tmp_path):
    again = openpyxl.load_workbook(recalculate(report, tmp_path / "again"), data_only=True)
    wrong = []
    for title, place, text in every_formula(formulas):
        stored, new = values[title][place].value, again[title][place].value
        if isinstance(stored, (int, float)) and isinstance(new, (int, float)):
            # Differences of large totals keep the absolute error of the totals.
            scale = 1e6 if title in ("Checks", "Scenario results", "DSA") else 1e3
            close = abs(stored - new) <= 1e-9 * abs(stored) + 1e-12 * scale
        else:
            close = (stored or "") == (new or "")
        if not close:
            wrong.append((title, place, text, stored, new))
    assert not wrong, wrong[:5]
