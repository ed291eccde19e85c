import re
from dataclasses import replace

import numpy as np
import pytest
from study_folder import write_study

import heor.study
from heor.errors import HeorError, Place, Problem
from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, banner, evidence_summary, run_study


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return read_study(write_study(tmp_path_factory.mktemp("study") / "small"))


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def results(spec, steps):
    return run_study(spec, progress=lambda *step: steps.append(step))


def test_everything_runs_by_default(spec, results):
    assert results.spec is spec
    assert results.base.pairwise[0].icer > 0
    assert [row.year for row in results.accrual] == [5, 10, 15, 20]
    assert len(results.scenarios) == len(spec.scenarios)
    assert {bar.parameter for bar in results.dsa.comparisons[0].bars} == {
        "price",
        "rate",
        "hr",
        "u",
    }
    assert results.psa.n == results.psa_summary.n == 60
    assert results.psa_summary.base_checks


def test_analyses_agree_on_the_base_case(results):
    pair = results.base.pairwise[0]
    point = results.dsa.comparisons[0].base
    same = next(s for s in results.scenarios if s.name == "Same")
    assert pair.delta_cost == point.delta_cost == same.result.pairwise[0].delta_cost
    assert pair.delta_qaly == point.delta_qaly == same.result.pairwise[0].delta_qaly


def test_record(spec, results):
    record = results.record
    assert (record.study, record.input_hash) == (spec.name, spec.input_hash)
    assert record.input_hash
    assert (record.seed, record.draws, record.sampler, record.replicates) == (11, 60, "random", 1)
    assert record.version == results.version
    assert re.fullmatch(r"\d+\.\d+.*", record.version)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.started)
    assert record.packages["numpy"] == np.__version__
    assert set(record.packages) == set(heor.study.PACKAGES)
    assert list(record.timings) == [
        "base case",
        "accrual",
        "scenarios",
        "dsa",
        "two-way",
        "threshold",
        "psa",
        "psa summary",
        "importance",
    ]
    assert all(seconds >= 0 for seconds in record.timings.values())
    assert [row.strategy for row in record.crossing] == ["old", "new"]


def test_warnings_of_reading_and_psa_are_kept(spec):
    warned = replace(spec, warnings=(Problem(Place("x.csv", row=2), "look here"),))
    plan = Plan(draws=20, sampler="latin_hypercube", skip=("dsa", "scenarios", "accrual"))
    single = replace(warned, settings=replace(spec.settings, psa_replicates=1))
    warnings = run_study(single, plan).record.warnings
    assert warnings[0] == "x.csv, row 2: look here"
    assert any("psa_replicates" in text for text in warnings)


def test_progress(steps, results):
    begun = [step for step, done, _ in steps if done == 0]
    assert begun == [
        *("base case", "accrual", "scenarios", "dsa", "two-way", "threshold"),
        *("psa", "psa summary", "importance"),
    ]
    ended = [step for step, done, total in steps if done == total]
    assert ended == begun
    assert ("psa", 60, 60) in steps


def test_same_plan_same_numbers(spec, results):
    again = run_study(spec, Plan(workers=2))
    np.testing.assert_array_equal(again.psa.outcomes.values, results.psa.outcomes.values)
    assert again.psa_summary.increments == results.psa_summary.increments
    assert again.scenarios[0].effects == results.scenarios[0].effects


def test_plan(spec):
    plan = Plan(
        draws=24,
        seed=5,
        sampler="latin_hypercube",
        skip=("dsa", "accrual"),
        scenarios=("Same",),
    )
    results = run_study(spec, plan)
    assert results.dsa is None
    assert results.accrual == ()
    assert [s.name for s in results.scenarios] == ["Same"]
    assert (results.record.seed, results.record.draws) == (5, 24)
    assert results.record.sampler == "latin_hypercube"


def test_without_psa(spec):
    results = run_study(spec, Plan(skip=heor.study.OPTIONAL))
    assert results.psa is None
    assert results.psa_summary is None
    assert results.record.draws == 0
    assert list(results.record.timings) == ["base case"]


def test_until_mcse(spec):
    results = run_study(spec, Plan(until_mcse=1e9, skip=("dsa", "scenarios", "accrual")))
    assert results.psa_summary.stopping.endswith("reached")


def test_mistakes_in_the_plan(spec):
    with pytest.raises(ValueError, match="cannot skip tornado; allowed are accrual"):
        run_study(spec, Plan(skip=("tornado",)))
    with pytest.raises(HeorError, match="no scenario 'none'"):
        run_study(spec, Plan(skip=("dsa", "psa"), scenarios=("none",)))


def test_asking_for_a_scenario_of_a_study_without_any(spec):
    with pytest.raises(HeorError, match="the study has no scenarios"):
        run_study(replace(spec, scenarios=()), Plan(skip=("dsa", "psa"), scenarios=("none",)))


def test_banner(spec, results):
    assert results.banner == (
        "Made-up numbers.",
        "Not for decisions.",
        "1 of 5 parameters: assumption (price)",
        "1 of 5 parameters: not verified against the source (u)",
        "1 of 5 parameters: transported from another population or setting (hr)",
    )
    assert banner(replace(spec, settings=replace(spec.settings, banner=" | ")))[0].startswith(
        "1 of"
    )


def test_evidence_in_one_line(spec):
    assert evidence_summary(spec) == (
        "1 of 5 parameters is an assumption, 1 unverified, 1 transported"
    )
    some = {name: p for name, p in spec.parameters.items() if p.evidence != "assumption"}
    twice = {**some, "u2": replace(some["u"], id="u2")}
    assert evidence_summary(replace(spec, parameters=twice)) == (
        "2 of 5 parameters are unverified, 1 transported"
    )
    assert evidence_summary(replace(spec, parameters={})) == ""


def test_banner_lists_a_dozen_ids_at_most(spec):
    price = spec.parameters["price"]
    many = {f"p{i}": replace(price, id=f"p{i}") for i in range(15)}
    line = banner(replace(spec, parameters=many))[-1]
    assert line.startswith("15 of 15 parameters: assumption (p0, p1, ")
    assert line.endswith("p11 and 3 more)")


def test_acceptability_of_the_shipped_study_is_shown_to_where_it_settles():
    spec = read_study(shipped_studies() / "lifileucel_nsclc")
    plan = Plan(draws=300, skip=("dsa", "scenarios", "accrual"))
    curve = run_study(spec, plan).psa_summary.curve
    assert curve.thresholds[-1] > 1_000_000
    assert curve.ceac[-1, curve.strategies.index("lifileucel")] > 0.9
    assert set(spec.settings.thresholds) <= set(curve.thresholds)
