"""Averages of candidates: in results, draws, on Control and in the live cells (methods 1.9)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from spreadsheet import Spreadsheet
from study_folder import TABLES, write_study
from study_tables import write_tables
from trials import curve_trials, draw_trials, table_trials
from workbook_model import changed, replicate, stored_differences, write_model

from heor.engine.evaluate import evaluate
from heor.engine.outcomes import Outcomes
from heor.spec.changed_tables import with_tables
from heor.spec.draws import base, sample
from heor.spec.reader import apply_changes, read_study
from heor.spec.records import Spec
from heor.study import Plan, run_study

CURVES = """id,strategy,endpoint,family,parameters,time_unit,hazard_ratio,average_weight,use,source
old_pfs,old,pfs,exponential,rate=rate*2,year,,,x,assumption
old_os,old,os,exponential,rate=rate,year,,,x,assumption
new_pfs,new,pfs,exponential,rate=rate*2,year,hr,,x,assumption
new_os,new,os,exponential,rate=half*2,year,hr,"if(pick=0.5, 0.3, if(pick<0.3, 1, 0))",x,assumption
new_os_w,new,os,weibull,shape=1.3; scale=9,year,,"if(pick=0.5, 0.7, if(pick<0.3, 0, 1))",,assumption
new_os_as_old,new,os,exponential,rate=rate,year,,,,assumption
"""
PICK = "pick,Which model,0.5,number,,,uniform,,0,1,assumption,assumption\n"
SCENARIOS = TABLES["scenarios"] + "Averaged,Structure.,curve:new.os.all,average\n"
SLOT = "curve:new.os.all"


@pytest.fixture
def study(tmp_path: Path) -> Spec:
    """OS of the new strategy may be the average of an exponential and a Weibull, 0.3 to 0.7."""
    lines = [line.split(",") for line in TABLES["parameters"].splitlines()]
    lines = [[*x[:8], *(("a", "b") if x[0] == "id" else ("", "")), *x[8:]] for x in lines]
    parameters = "\n".join([",".join(line) for line in lines] + [PICK])
    return read_study(
        write_study(tmp_path / "study", curves=CURVES, parameters=parameters, scenarios=SCENARIOS)
    )


def of(outcomes: Outcomes, name: str = "ly") -> np.ndarray:
    return outcomes.of("new", name)


def test_the_base_case_is_the_weighted_mean(study: Spec) -> None:
    average = changed(study, {SLOT: "average"})
    assert [average.standing(c) for c in average.curves][3:] == ["average", "average", "no"]
    parts = [of(evaluate(one, base(one)))[0] for one in (study, changed(study, {SLOT: "new_os_w"}))]
    # PFS is below each of them, so that nothing is capped and time adds up
    mean = of(evaluate(average, base(average)))[0]
    assert mean == pytest.approx(0.3 * parts[0] + 0.7 * parts[1], rel=1e-12)


def test_a_draw_may_belong_to_one_candidate(study: Spec) -> None:
    """By a uniform parameter and `if`: the mean stays, and the spread is that of the models."""
    average = changed(study, {SLOT: "average"})
    draws = sample(average, 4000)
    found = of(evaluate(average, draws))
    each = [of(evaluate(changed(study, {SLOT: c}), draws)) for c in ("new_os", "new_os_w")]
    first = draws.values["pick"] < 0.3
    np.testing.assert_allclose(found, np.where(first, *each), rtol=1e-14)
    assert abs(first.mean() - 0.3) < 4 * np.sqrt(0.21 / 4000)
    # the mixture in every draw has the same mean and a smaller spread
    fixed = {**draws.values, "pick": np.full(4000, 0.5)}
    mixed = of(evaluate(average, dataclasses.replace(draws, values=fixed)))
    error = (found - mixed).std() / np.sqrt(4000)
    assert abs(found.mean() - mixed.mean()) < 4 * error
    assert found.std() > mixed.std()


def test_tables_follow_the_choice(study: Spec, tmp_path: Path) -> None:
    """A report made with the average runs again as it was made."""
    (scenario,) = (s for s in study.scenarios if s.name == "Averaged")
    average = apply_changes(study, scenario.changes)
    again = read_study(
        write_tables(tmp_path / "again", with_tables(average, scenario.changes).tables)
    )
    assert [c.id for used in again.curves_in_use("new") for c in used.average] == [
        "new_os",
        "new_os_w",
    ]
    np.testing.assert_array_equal(
        of(evaluate(again, base(again))), of(evaluate(average, base(average)))
    )
    alone = changed(again, {SLOT: "new_os_as_old"})
    assert not any(c.average for c in alone.curves)


@pytest.mark.libreoffice
def test_the_workbook_follows(study: Spec, tmp_path: Path) -> None:
    """Weights, draws and the choice itself are live."""
    (scenario,) = (s for s in study.scenarios if s.name == "Averaged")
    spec = with_tables(apply_changes(study, scenario.changes), scenario.changes)
    model = write_model(run_study(spec, Plan(draws=12)), tmp_path / "report.xlsx")
    weight = ("curves", "new_os_w", "average_weight", "0.1")
    with Spreadsheet() as calc:
        calc.open(model.path)
        assert stored_differences(calc, model.package)[:10] == []
        trials = [
            *curve_trials(model),
            *draw_trials(model, [2, 5, 8]),
            *table_trials(model, [weight]),
        ]
        found = replicate([calc], model, trials, 1e-9)
        over = {model.choice("scenario"): "No gain", model.choice(SLOT): "average"}
        reply = calc.results(over, [model.live("total ly new")])
    assert not found.faults, found.faults[:10]
    wanted = of(evaluate(spec, base(spec)))[0]
    assert reply.values[0] == pytest.approx(wanted, rel=1e-9)
