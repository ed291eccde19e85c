"""Random small studies: workbook, LibreOffice and engine agree in the base case and when changed.

Each study goes from tables through the reader, the engine and the report. Its workbook is loaded
in a LibreOffice that stays open for all of them; every formula is computed afresh and compared with
its stored value, and the results with the engine's: in the base case, in each scenario, in a PSA
draw, with each curve, and with other settings.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from formula_scanner import scan_package
from spreadsheet import Cell, Input, Spreadsheet
from study_folder import TABLES, write_study
from study_tables import random_tables, with_cell, write_tables
from trials import (
    curve_trials,
    draw_trials,
    parameter_trials,
    row_of,
    scenario_trials,
    setting_trials,
)
from workbook_model import Model, Trial, changed, engine, replicate, stored_differences, write_model

from heor.spec.reader import read_study
from heor.study import Plan, run_study

#: Relative difference allowed between the workbook and the engine.
TOLERANCE = 1e-8

SETTINGS = {
    "discounting": ("mid_cycle", "start_of_cycle", "annual", "continuous"),
    "cycle_correction": ("trapezoid", "start", "end"),
    "background_mortality": ("floor", "none", "add"),
    "crossing": ("cap", "keep_higher"),
    "age_adjusted_utilities": ("yes", "no"),
    "utility_cap": ("none", "population_norm"),
    "discount_rate_costs": ("0%", "0.07", "6%; from 1.5: 1%"),
    "evlyg_utility": ("0.7",),
}


@pytest.fixture(scope="module")
def calc() -> Iterator[Spreadsheet]:
    with Spreadsheet() as running:
        yield running


@pytest.mark.parametrize("seed", range(10))
def test_a_random_study(calc: Spreadsheet, tmp_path: Path, seed: int) -> None:
    spec = read_study(write_tables(tmp_path / "study", random_tables(seed)))
    skip = ("accrual", "scenarios", "dsa", "psa") if seed % 2 else ()
    results = run_study(spec, Plan(draws=5, skip=skip, structure=True))
    model = write_model(results, tmp_path / "report.xlsx")
    assert [str(fault) for fault in scan_package(model.package)][:10] == []
    calc.open(model.path)
    assert stored_differences(calc, model.package)[:10] == []
    result = replicate([calc], model, trials(model, random.Random(seed)), TOLERANCE)
    assert result.changes >= 15
    assert not result.faults, "\n".join([f"{len(result.faults)} faults", *result.faults[:20]])


UNDERFLOWS = """\
id,strategy,endpoint,family,parameters,hazard_ratio,hr_from,hr_until,time_unit,source
old_pfs,old,pfs,weibull,shape=2; scale=1.1,3*hr,,,year,assumption
old_os,old,os,weibull,shape=2; scale=1.2,,,,year,assumption
new_pfs,new,pfs,gompertz,shape=rate; rate=0.1,1.2,1,40,year,assumption
new_os,new,os,lognormal,meanlog=-6; sdlog=0.25,2,,,year,assumption
"""


def test_survival_too_small_for_a_number(calc: Spreadsheet, tmp_path: Path) -> None:
    """Shares such as 1e-300 to a power are 0, not the error that LibreOffice's ``^`` gives."""
    tables = {"curves": UNDERFLOWS, "scenarios": "scenario,target,value\nDear,price,100000\n"}
    spec = read_study(write_study(tmp_path / "study", **tables))
    plan = Plan(skip=("accrual", "scenarios", "dsa", "psa"))
    model = write_model(run_study(spec, plan), tmp_path / "report.xlsx")
    calc.open(model.path)
    assert stored_differences(calc, model.package)[:10] == []
    result = replicate([calc], model, parameter_trials(model), TOLERANCE)
    assert result.faults == []


def trials(model: Model, rng: random.Random) -> Iterator[Trial]:
    """Base case, every scenario, a draw, a few curves and parameters, each kind of setting."""
    yield Trial("base case", "", {}, engine(model.spec)[0])
    yield from scenario_trials(model)
    if model.ctx.results.psa is not None:
        yield from draw_trials(model, [rng.randint(1, 5)])
    yield from some(rng, 3, curve_trials(model))
    yield from some(rng, 4, parameter_trials(model))
    half = f"{0.5 * model.spec.settings.horizon!r} years"
    settings = {**SETTINGS, "horizon": (half,)}
    if any(curve.hazard == "excess" for curve in model.spec.curves):
        settings["background_mortality"] = ("floor", "none")
    else:
        settings["smr_of"] = ("cured", "cohort")
    if model.spec.settings.start_year is not None:
        settings["start_year"] = ("2000", "2001.7")
    for key, texts in settings.items():
        yield from setting_trials(model, {key: [rng.choice(texts)]})


def some(rng: random.Random, number: int, found: Iterator[Trial]) -> list[Trial]:
    """A few of the trials."""
    every = list(found)
    return rng.sample(every, min(number, len(every)))


CASE = {
    "strategies": "id,label\nA,Old care\na,New drug\n",
    "curves": """\
id,strategy,endpoint,family,parameters,time_unit,hazard_ratio,use,source
A_pfs,A,pfs,exponential,rate=rate*2,year,,x,assumption
A_os,A,os,exponential,rate=rate,year,,x,assumption
A_later,A,os,exponential,rate=rate*1.5,year,,,assumption
a_pfs,a,pfs,exponential,rate=rate*2,year,hr,x,assumption
a_os,a,os,exponential,rate=half*2,year,hr,x,assumption
A_OS,a,os,exponential,rate=rate*0.7,year,,,assumption
""",
    "costs": """\
id,label,category,strategy,trigger,state,per,amount
drug,Drug,drug,a,start,,,price
care,Care,care,all,in_state,os,year,1000
""",
    "scenarios": "scenario,purpose,target,value\nx,,curve:a.os.all,A_OS\nX,,price,1\n",
}


def test_ids_that_differ_in_capitals_alone(calc: Spreadsheet, tmp_path: Path) -> None:
    settings = TABLES["settings"].replace("reference,old", "reference,A")
    spec = read_study(write_study(tmp_path / "study", **CASE, settings=settings))
    skip = ("accrual", "scenarios", "dsa", "psa")
    model = write_model(run_study(spec, Plan(skip=skip)), tmp_path / "report.xlsx")
    assert [str(fault) for fault in scan_package(model.package)] == []
    calc.open(model.path)
    assert stored_differences(calc, model.package)[:10] == []
    tried = [*curve_trials(model), *scenario_trials(model)]
    assert replicate([calc], model, tried, TOLERANCE).faults == []


PRICED = {
    "settings": TABLES["settings"] + "price_parameter,price\n",
    "parameters": TABLES["parameters"] + "dose,Dose,price/12,USD,,,,,assumption,derived\n",
    "costs": """\
id,label,category,strategy,trigger,state,per,amount
drug,Drug,drug,new,start,,,price
doses,Doses,drug,new,in_state,pf,year,dose
more,More,drug,new,in_state,pf,year,price/50
care,Care,care,all,in_state,os,year,1000
""",
    "scenarios": "scenario,purpose,target,value\nDear doses,,dose,price/6\n",
}


@pytest.mark.parametrize(
    ("table", "row", "number", "scenario"),
    [
        ("parameters", "dose", 4000.0, ""),
        ("costs", "more", 500.0, ""),
        ("costs", "more", 500.0, "Dear doses"),
        ("scenarios", "Dear doses", 9000.0, "Dear doses"),
    ],
)
def test_price_beside_a_number_over_a_formula(
    calc: Spreadsheet, tmp_path: Path, table: str, row: str, number: float, scenario: str
) -> None:
    """What a number was typed over does not follow the price any more."""
    spec = read_study(write_study(tmp_path / "study", **PRICED))
    skip = ("accrual", "scenarios", "dsa", "psa")
    model = write_model(run_study(spec, Plan(skip=skip)), tmp_path / "report.xlsx")
    calc.open(model.path)
    column = "amount" if table == "costs" else "value"
    place = row_of(spec.tables[table], row)
    cells: dict[Cell, Input] = {model.table(table, place, column): number}
    edited = with_cell(spec.tables, table, place, column, repr(number))
    then = read_study(write_tables(tmp_path / "edited", edited))
    if scenario:
        cells[model.choice("scenario")] = scenario
        then = changed(then, {c.target: c.value for c in then.scenarios[0].changes})
    price = then.parameters["price"].value
    now, dearer = (engine(changed(then, {"price": repr(p)}))[0] for p in (price, price + 1000))
    slope = (dearer["delta cost new"] - now["delta cost new"]) / 1000
    keys = [f"price {n} new" for n in range(len(spec.settings.thresholds))]
    wanted = [
        price + (k * now["delta qaly new"] - now["delta cost new"]) / slope
        for k in spec.settings.thresholds
    ]
    found = calc.results(cells, [model.live(key) for key in keys]).values
    words = "no price ≥ 0 meets the threshold"
    for one, right in zip(found, wanted, strict=True):
        assert one == (words if right < 0 else pytest.approx(right, rel=1e-8))
