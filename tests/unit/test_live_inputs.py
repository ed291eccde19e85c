"""The input end of the live workbook: LibreOffice gives what the engine's own changes give."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from libreoffice import require_libreoffice
from live_book import expected, write_live_book
from openpyxl.utils.cell import column_index_from_string, coordinate_from_string
from spreadsheet import Input, Spreadsheet
from study_folder import write_study
from study_tables import random_tables, write_tables
from workbook_model import cell_of

from heor.errors import Place
from heor.report.sheets.calc_time import rows_needed
from heor.report.sheets.control import CHOICE_COLUMN, row_of
from heor.report.sheets.layout import Context
from heor.report.sheets.scenarios_live import circular_rows
from heor.report.xlsx import cell_name
from heor.spec.changes import apply_changes
from heor.spec.reader import read_study
from heor.spec.records import Change, Spec
from heor.study import Plan, run_study

SHIPPED = Path(__file__).parents[2] / "inputs" / "lifileucel_nsclc"
DRAWS = 20
#: Relative difference allowed: a workbook stores 16 digits.
CLOSE = 1e-14

Cells = Mapping[tuple[str, str], Input]


@dataclass(slots=True)
class Book:
    """A workbook open in LibreOffice."""

    ctx: Context
    path: Path
    office: Spreadsheet

    @property
    def spec(self) -> Spec:
        return self.ctx.results.spec

    def choice(self, key: str) -> tuple[str, str]:
        return "Control", cell_name(row_of(self.ctx, key), CHOICE_COLUMN)

    def cell(self, table: str, name: str, column: str) -> tuple[str, str]:
        """Input cell of the row whose first cell is ``name``."""
        found = self.spec.tables[table]
        row = next(n for n, texts in enumerate(found.rows) if texts[0] == name)
        return table, cell_name(row + 1, found.columns.index(column))

    def live(self, cells: Cells, *keys: str) -> dict[str, float | str]:
        """Values of live cells by key after a change that is undone; no cell shows an error."""
        names = keys or [k for k, t in self.ctx.live.items() if t.text.count("!") == 1]
        places = {
            key: cell_of(self.ctx.live[key].text)
            for key in names
            if ":" not in self.ctx.live[key].text
        }
        sheets = sorted({sheet for sheet, _ in places.values()})
        areas = dict(self.office.used())
        reply = self.office.change(cells, [(sheet, areas[sheet]) for sheet in sheets])
        assert reply.error_count == 0, reply.error_cells
        tables = dict(zip(sheets, reply.values, strict=True))
        found = {}
        for key, (sheet, address) in places.items():
            letters, row = coordinate_from_string(address)
            found[key] = tables[sheet][row - 1][column_index_from_string(letters) - 1]
        return found

    def agrees(self, cells: Cells, spec: Spec, values: Mapping[str, float] | None = None) -> None:
        """Check every live cell against the records of a study."""
        found, wanted = self.live(cells), expected(spec, values)
        assert set(wanted) <= set(found)
        for key, value in wanted.items():
            assert same(found[key], value), (key, found[key], value)


def same(found: float | str, wanted: float | str) -> bool:
    if isinstance(wanted, str) or isinstance(found, str):
        return found == wanted
    return math.isclose(found, wanted, rel_tol=CLOSE, abs_tol=1e-300)


def changed(spec: Spec, **changes: str) -> Spec:
    return apply_changes(
        spec, [Change(target=t, value=v, place=Place("")) for t, v in changes.items()]
    )


@pytest.fixture(scope="module")
def office() -> Iterator[Spreadsheet]:
    require_libreoffice()
    with Spreadsheet() as running:
        yield running


def book_of(spec: Spec, path: Path, office: Spreadsheet) -> Book:
    plan = Plan(draws=DRAWS, skip=("accrual", "scenarios", "dsa"))
    ctx = write_live_book(run_study(spec, plan), path)
    office.open(path)
    return Book(ctx, path, office)


@pytest.fixture(scope="module")
def shipped(office, tmp_path_factory) -> Iterator[Book]:
    yield book_of(read_study(SHIPPED), tmp_path_factory.mktemp("live") / "shipped.xlsx", office)
    office.close()


def check_stored(book: Book) -> None:
    """Every formula's stored value is what LibreOffice computes."""
    reply = book.office.change({}, book.office.used(), hard=True)
    assert reply.error_count == 0, reply.error_cells
    values = openpyxl.load_workbook(book.path, data_only=True)
    formulas = openpyxl.load_workbook(book.path)
    count = 0
    for (title, _), table in zip(book.office.used(), reply.values, strict=True):
        for row in formulas[title].iter_rows():
            for cell in row:
                if cell.data_type != "f":
                    continue
                count += 1
                found = table[cell.row - 1][cell.column - 1]
                kept = values[title][cell.coordinate].value
                kept = "" if kept is None else kept
                assert same(found, kept), (title, cell.coordinate, found, kept, cell.value)
    assert count > 300


def test_every_stored_value_is_what_its_formula_gives(shipped):
    check_stored(shipped)


def test_live_cells_hold_what_the_engine_takes(shipped):
    shipped.agrees({}, shipped.spec)


@pytest.mark.parametrize("seed", [3, 8])
def test_random_studies(seed, tmp_path):
    spec = read_study(write_tables(tmp_path / "study", random_tables(seed)))
    with Spreadsheet() as office:
        book = book_of(spec, tmp_path / "random.xlsx", office)
        check_stored(book)
        book.agrees({}, spec)
        for scenario in spec.scenarios:
            book.agrees(
                {book.choice("scenario"): scenario.name}, apply_changes(spec, scenario.changes)
            )
        for draw in (1, DRAWS):
            book.agrees({book.choice("draw"): draw}, spec, values_of(book, draw))


FLEXIBLE = """\
id,strategy,endpoint,family,parameters,pps_family,pps_parameters,time_unit,use,source
old_pfs,old,pfs,spline,knots=-1 ln(2) 1.5; gamma0=-rate; gamma1=1; gamma2=0.02,,,year,,assumption
old_os,old,os,genf,mu=1; sigma=0.9; Q=-0.4; P=rate,,,year,,assumption
new_pfs,new,pfs,spline,scale=odds; knots=-2 1; gamma0=-1-rate; gamma1=1.2,,,year,,assumption
new_os,new,os,post_progression,,spline,scale=normal; knots=0 1; gamma0=-1; gamma1=rate+1,year,x,\
assumption
new_os_genf,new,os,post_progression,,genf,mu=1; sigma=0.9; Q=0.4; P=rate,year,,assumption
new_os_bent,new,os,spline,knots=-1 0 half 2; gamma0=-2; gamma1=1; gamma2=0.01; gamma3=0,,,year,,\
assumption
"""


def test_numbers_of_families_of_several_lengths(tmp_path):
    scenarios = "scenario,target,value\nFaster,rate,0.6\n"
    study = write_study(tmp_path / "study", curves=FLEXIBLE, scenarios=scenarios)
    spec = read_study(study)
    with Spreadsheet() as office:
        book = book_of(spec, tmp_path / "flexible.xlsx", office)
        check_stored(book)
        book.agrees({}, spec)
        faster = apply_changes(spec, spec.scenarios[0].changes)
        book.agrees({book.choice("scenario"): "Faster"}, faster)
        book.agrees({book.choice("draw"): 2}, spec, values_of(book, 2))


def values_of(book: Book, draw: int) -> dict[str, float]:
    psa = book.ctx.results.psa
    assert psa is not None
    return {name: float(values[draw - 1]) for name, values in psa.draws.values.items()}


def test_a_parameter(shipped):
    cell = shipped.cell("parameters", "lif_orr", "value")
    shipped.agrees({cell: 0.3}, changed(shipped.spec, lif_orr="0.3"))


def test_a_number_typed_over_a_formula(shipped):
    cell = shipped.cell("parameters", "lif_dor_k", "value")
    shipped.agrees({cell: 0.7}, changed(shipped.spec, lif_dor_k="0.7"))


def test_every_scenario(shipped):
    choice = shipped.choice("scenario")
    assert len(shipped.spec.scenarios) > 30
    for scenario in shipped.spec.scenarios:
        shipped.agrees({choice: scenario.name}, apply_changes(shipped.spec, scenario.changes))


@pytest.mark.parametrize("draw", [1, 7, DRAWS])
def test_a_draw_leaves_the_scenario_out(shipped, draw):
    scenario = shipped.spec.scenarios[-1].name
    cells = {shipped.choice("draw"): draw, shipped.choice("scenario"): scenario}
    shipped.agrees(cells, shipped.spec, values_of(shipped, draw))
    assert shipped.live(cells, "scenario", "draw") == {"scenario": "", "draw": draw}


@pytest.mark.parametrize(
    ("key", "entry", "text"),
    [
        ("horizon", "20 years", "20 years"),
        ("horizon", 20, "20 years"),
        ("horizon", "18 months", "18 months"),
        ("horizon", "1.5 Years", "1.5 years"),
        ("cycle_length", "1 month", "1 month"),
        ("cycle_length", 0.1, "0.1 years"),
        ("discount_rate_costs", "1.5%", "1.5%"),
        ("discount_rate_costs", 0.015, "0.015"),
        ("discount_rate_outcomes", "3.5%; from 30: 3%", "3.5%; from 30: 3%"),
        ("discount_rate_outcomes", "4 %;from 7.5 years : 0.02", "4 %;from 7.5 years : 0.02"),
        ("discounting", "continuous", "continuous"),
        ("cycle_correction", "start", "start"),
        ("cycle_correction", "end", "end"),
        ("background_mortality", "none", "none"),
        ("crossing", "keep_higher", "keep_higher"),
        ("age_adjusted_utilities", "yes", "yes"),
        ("utility_cap", "none", "none"),
        ("smr", 1.3, "1.3"),
        ("start_age", 60, "60"),
        ("male_share", 0.4, "0.4"),
        ("evlyg_utility", 0.9, "0.9"),
        ("severity_weight", 1.7, "1.7"),
    ],
)
def test_a_setting_chosen_or_written_in_its_table(shipped, key, entry, text):
    wanted = changed(shipped.spec, **{key: text})
    shipped.agrees({shipped.choice(key): entry}, wanted)
    written = [row[0] for row in shipped.spec.tables["settings"].rows]
    if key in written and not (isinstance(entry, int | float) and key == "cycle_length"):
        shipped.agrees({shipped.cell("settings", key, "value"): entry}, wanted)


def test_a_choice_counts_before_the_scenario(shipped):
    scenario = next(
        s for s in shipped.spec.scenarios if [c.target for c in s.changes] == ["horizon"]
    )
    cells = {shipped.choice("scenario"): scenario.name, shipped.choice("horizon"): "7 years"}
    shipped.agrees(cells, changed(shipped.spec, horizon="7 years"))


def test_a_horizon_beyond_the_rows_is_cut_and_said(shipped):
    keys = ("horizon", "cycles asked", "cycles")
    found = shipped.live({shipped.choice("horizon"): 100}, *keys)
    rows = rows_needed(shipped.spec)
    assert found == {"horizon": 100, "cycles asked": math.ceil(36525 / 7), "cycles": rows - 1}


def test_a_length_takes_the_unit_beside_it(shipped):
    cells = {
        shipped.cell("settings", "horizon", "value"): 120,
        shipped.cell("settings", "horizon", "unit"): "months",
    }
    shipped.agrees(cells, changed(shipped.spec, horizon="10 years"))
    cells[shipped.choice("horizon")] = 20
    shipped.agrees(cells, changed(shipped.spec, horizon="20 years"))


def test_thresholds(shipped):
    found = shipped.live({shipped.choice("threshold 2"): 70000}, "threshold 0", "threshold 1")
    assert found == {"threshold 0": 50000, "threshold 1": 70000}
    cell = shipped.cell("settings", "thresholds", "value")
    found = shipped.live({cell: "1000; 2500.5;3000; 4000"}, "threshold 1", "threshold 3")
    assert found == {"threshold 1": 2500.5, "threshold 3": 4000}


def test_a_curve_chosen_or_marked(shipped):
    slot, other = "lifileucel.os.responder", "lif_os_responder_weibull"
    wanted = changed(shipped.spec, **{f"curve:{slot}": other})
    shipped.agrees({shipped.choice(f"curve:{slot}"): other}, wanted)
    marks = {
        shipped.cell("curves", "lif_os_responder", "use"): None,
        shipped.cell("curves", other, "use"): "x",
    }
    shipped.agrees(marks, wanted)


def test_blanks_count_as_nothing_changed(shipped):
    cell = shipped.cell("curves", "lif_pfs_responder", "delay")
    ids = [curve.id for curve in shipped.spec.curves]
    key = f"curves {ids.index('lif_pfs_responder')} delay"
    assert shipped.live({cell: None}, key) == {key: 0}
    assert shipped.live({cell: 2.5}, key) == {key: 2.5}


def test_entries_that_cannot_be_read_do_not_count(shipped):
    base = expected(shipped.spec)
    for key, entry in [
        ("horizon", "long"),
        ("horizon", "20"),
        ("horizon", "20 moons"),
        ("horizon", -3),
        ("cycle_length", "week 1"),
        ("discount_rate_costs", "three"),
        ("discount_rate_costs", "3%; after 30: 2"),
        ("discount_rate_costs", 3),
        ("discounting", "mid"),
        ("male_share", 1.5),
        ("smr", "one"),
        ("threshold 1", "many"),
        ("scenario", "No such scenario"),
        ("scenario", shipped.spec.scenarios[0].name.upper()),
        ("draw", DRAWS + 1),
        ("draw", -1),
        ("curve:lifileucel.os.responder", "doc_os_responder"),
    ]:
        row = row_of(shipped.ctx, key)
        cells = {shipped.choice(key): entry}
        found = shipped.live(cells)
        for name, value in base.items():
            assert same(found[name], value), (key, entry, name, found[name], value)
        reply = shipped.office.change(cells, [("Control", cell_name(row, CHOICE_COLUMN + 2))])
        assert reply.values[0][0][0] == "base case: entry not understood", (key, entry)


def test_what_is_changed_is_counted(shipped):
    def counts(cells: Cells) -> tuple[float | str, ...]:
        return tuple(shipped.live(cells, "inputs changed", "structure changed").values())

    parameter = shipped.cell("parameters", "lif_orr", "value")
    derived = shipped.cell("parameters", "lif_dor_k", "value")
    assert counts({}) == (0, 0)
    assert counts({shipped.choice("scenario"): shipped.spec.scenarios[0].name}) == (0, 0)
    assert counts({shipped.choice("draw"): 3}) == (0, 0)
    assert counts({shipped.choice("horizon"): "20 years"}) == (1, 0)
    assert counts({parameter: 0.3, derived: 0.7}) == (2, 0)
    assert counts({parameter: 0.256410256410256 * (1 + 1e-12)}) == (0, 0)
    assert counts({derived: "lif_dor24 * 2"}) == (1, 1)
    assert counts({shipped.cell("parameters", "lif_orr", "se"): 0.1}) == (1, 1)
    assert counts({shipped.cell("parameters", "lif_orr", "note"): "Read again."}) == (0, 0)
    assert counts({shipped.cell("curves", "lif_os_responder", "family"): "weibull"}) == (1, 1)
    assert counts({shipped.cell("settings", "psa_seed", "value"): 4}) == (1, 1)
    assert counts({shipped.cell("settings", "title", "value"): "Another"}) == (0, 0)
    rows = len(shipped.spec.tables["costs"].rows)
    assert counts({("costs", f"A{rows + 2}"): "new_item"}) == (1, 1)


def test_scenarios_that_would_be_circular_together(tmp_path):
    scenarios = """scenario,target,value
Price by rate,price,rate * 200000
Rate by price,rate,price / 300000
Half by itself,half,0.1 + rate / 4
Only here,hr,1 / (price - 90000)
Only here,price,90002
"""
    spec = read_study(write_study(tmp_path / "study", scenarios=scenarios))
    assert circular_rows(spec) == {1}
    with Spreadsheet() as office:
        book = book_of(spec, tmp_path / "circular.xlsx", office)
        check_stored(book)
        for scenario in spec.scenarios:
            wanted = apply_changes(spec, scenario.changes)
            book.agrees({book.choice("scenario"): scenario.name}, wanted)


def test_names_of_scenarios_differ_in_case(tmp_path):
    scenarios = "scenario,target,value\nLow,price,1\nlow,price,2\nWhat if?,price,3\n*,price,4\n"
    spec = read_study(write_study(tmp_path / "study", scenarios=scenarios))
    with Spreadsheet() as office:
        book = book_of(spec, tmp_path / "case.xlsx", office)
        for number, scenario in enumerate(spec.scenarios, start=1):
            found = book.live({book.choice("scenario"): scenario.name}, "param price")
            assert found == {"param price": number}
