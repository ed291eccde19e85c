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
from spreadsheet import Spreadsheet
from study_folder import write_study
from study_tables import random_tables, write_tables
from trials import curve_trials, draw_trials, parameter_trials, scenario_trials, setting_trials
from workbook_model import Model, Trial, engine, replicate, stored_differences, write_model

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
    results = run_study(spec, Plan(draws=5, skip=skip))
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
    for key, texts in {**SETTINGS, "horizon": (half,)}.items():
        yield from setting_trials(model, {key: [rng.choice(texts)]})


def some(rng: random.Random, number: int, found: Iterator[Trial]) -> list[Trial]:
    """A few of the trials."""
    every = list(found)
    return rng.sample(every, min(number, len(every)))
