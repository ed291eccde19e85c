"""From a CSV file to candidates, and from candidates to rows that a study reads."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heor.engine.survival import CURVES, family_of_curve
from heor.errors import HeorError, InputErrors
from heor.fitting import table_rows
from heor.fitting.compare import Request, aic_weights, compare, hazard_words
from heor.fitting.data import right_censored
from heor.fitting.fit import fit
from heor.fitting.models import Model
from heor.fitting.read_data import Columns, read_data, read_life_table
from heor.spec.draws import base, sample
from heor.spec.reader import read_study

PLAIN = Columns(time="time", event="event")


def written(folder: Path, text: str, name: str = "d.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path, columns: Columns = PLAIN, **options) -> list[str]:
    with pytest.raises(InputErrors) as caught:
        read_data(path, columns, **options)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


def simulated(n=250, seed=2, groups=("a", "b"), cured=0.0):
    rng = np.random.default_rng(seed)
    group = [groups[i % len(groups)] for i in range(n)]
    factor = np.array([1.0 + 0.5 * groups.index(g) for g in group])
    time = 10 * factor * rng.weibull(1.4, n)
    time[rng.random(n) < cured] = np.inf
    censor = rng.uniform(5, 40, n)
    return right_censored(np.minimum(time, censor), time <= censor, group=group)


def late_falling(n=1200):
    """Log-logistic times, which a generalised F has inside its range."""
    u = np.random.default_rng(6).random(n)
    time = 8 * (u / (1 - u)) ** 0.5
    return right_censored(np.minimum(time, 60), time <= 60, group=["a", "b"] * (n // 2))


# --- reading ---------------------------------------------------------------------------------


def test_times_events_groups_entry_and_weights_are_read(tmp_path):
    path = written(
        tmp_path,
        "\ufeff# made up\nid, t ,died,arm,from,n\n1,3.5,yes,A,,2\n2,4,0,B,1.5,1\n\n3,5,1.0,A,0,0\n",
    )
    columns = Columns(time="t", event="died", by="arm", entry="from", weight="n")
    data = read_data(path, columns)
    assert data.lower.tolist() == [3.5, 4, 5]
    assert data.upper.tolist() == [3.5, math.inf, 5]
    assert data.entry.tolist() == [0, 1.5, 0]
    assert data.weight.tolist() == [2, 1, 0]
    assert data.groups == ("A", "B")


def test_intervals_are_read(tmp_path):
    path = written(tmp_path, "last,first\n2,4\n,3\n5,\n6,inf\n7,7\n")
    data = read_data(path, Columns(time="last", upper="first"))
    assert data.lower.tolist() == [2, 0, 5, 6, 7]
    assert data.upper.tolist() == [4, 3, math.inf, math.inf, 7]
    both = written(tmp_path, "t,u,e\n2,4,1\n3,,1\n5,,0\n")
    data = read_data(both, Columns(time="t", upper="u", event="e"))
    assert data.upper.tolist() == [4, 3, math.inf]


def test_another_word_marks_events(tmp_path):
    path = written(tmp_path, "time,event\n2,2\n3,1\n")
    assert read_data(path, PLAIN, event_is="2").upper.tolist() == [2, math.inf]
    assert problems(path) == [
        ", row 2, column event: found `2`; expected 1, true, yes, event, dead, died, death or 0, "
        "false, no, censored, alive"
    ]
    assert problems(path, event_is="dead") == [
        ", column event: nothing is `dead`; there are `2`, `1`"
    ]
    third = written(tmp_path, "time,event\n2,2\n3,1\n4,0\n")
    assert problems(third, event_is="2") == [", row 4, column event: found `0`; expected 2 or 1"]


def test_every_problem_is_named_with_its_place(tmp_path):
    path = written(
        tmp_path,
        "time,event,arm,in,n\n"
        "-1,1,A,0,1\n"
        "NA,1,A,0,1\n"
        '"3,5",maybe,,0,-2\n'
        "0,1,A,0,1\n"
        "4,1,A,4,1\n"
        "4,0,A,5,x\n",
    )
    columns = Columns(time="time", event="event", by="arm", entry="in", weight="n")
    assert problems(path, columns) == [
        ", row 2, column time: found `-1`; expected a time of 0 or more",
        ", row 3, column time: found `NA`; expected a time of 0 or more",
        ", row 4, column arm: found an empty cell; expected a group",
        ", row 4, column event: found `maybe`; expected 1, true, yes, event, dead, died, death or "
        "0, false, no, censored, alive",
        ", row 4, column n: found `-2`; expected a number of people, 0 or more",
        ", row 4, column time: found `3,5`; expected a time of 0 or more; write a decimal point",
        ", row 5, column in: entry at 0 is not before the time, 0",
        ", row 5, column time: an event at time 0; give it a small time, such as 0.016 (half a "
        "day)",
        ", row 6, column in: entry at 4 is not before the time, 4",
        ", row 7, column in: entry at 5 is not before the time, 4",
        ", row 7, column n: found `x`; expected a number of people, 0 or more",
    ]


def test_problems_of_intervals(tmp_path):
    path = written(tmp_path, "t,u,e\n5,4,1\n2,3,0\n0,0,1\n")
    assert problems(path, Columns(time="t", upper="u", event="e")) == [
        ", row 2, column u: the interval ends at 4, before it begins at 5",
        ", row 3, column u: found 3 for a subject marked as censored; leave it blank",
        ", row 4, column u: an event at time 0; give it a small time, such as 0.016 (half a day)",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ": the file is empty"),
        ("time,event\n", ": there are no rows below the headings"),
        ("time;event\n1;1\n", ", row 1: columns are parted by ';'"),
        ("time\tevent\n1\t1\n", ", row 1: columns are parted by tabs"),
        ("times,event\n1,1\n", ", row 1: there is no column `time`; did you mean `times`?"),
        ("a,event\n1,1\n", ", row 1: there is no column `time`; there are: a, event"),
        ("time,event,time\n1,1,2\n", ", row 1: column `time` is there twice"),
        ('time,event\n"1,1\n', ": cannot be read"),
    ],
)
def test_files_that_are_no_data(tmp_path, text, words):
    assert problems(written(tmp_path, text))[0].startswith(words)


def test_places_that_are_no_file(tmp_path):
    assert problems(tmp_path / "none.csv") == [": there is no such file"]
    assert problems(tmp_path)[0].startswith(": this is a folder")
    assert problems(written(tmp_path, "x", "d.xlsx"))[0].startswith(": this is a workbook")
    (tmp_path / "l.csv").write_bytes("time,event\n1,é\n".encode("latin-1"))
    assert problems(tmp_path / "l.csv")[0].startswith(": not UTF-8 text")


def test_many_problems_are_summed_up(tmp_path):
    path = written(tmp_path, "time,event\n" + "x,1\n" * 80)
    found = problems(path)
    assert len(found) == 51
    assert found[-1] == ", row 52: from here on 30 problems more"


def test_columns_that_do_not_go_together(tmp_path):
    path = written(tmp_path, "time,event\n1,1\n")
    with pytest.raises(HeorError, match="which column marks events"):
        read_data(path, Columns(time="time"))
    with pytest.raises(HeorError, match="so no upper ends"):
        read_data(path, Columns(time="time", upper="event"), expected=path)
    with pytest.raises(HeorError, match="columns of age and sex"):
        read_data(path, PLAIN, expected=path)


def test_expected_hazards_are_those_of_the_age_at_the_event(tmp_path):
    life = written(tmp_path, "age,male,female\n60,0.01,0.005\n61,0.02,0.01\n62,1,1\n", "life.csv")
    path = written(
        tmp_path, "time,event,age,sex\n6,1,60.4,M\n9,1,60.4,female\n30,1,61,m\n5,0,60,F\n"
    )
    columns = Columns(time="time", event="event", age="age", sex="sex")
    data = read_data(path, columns, expected=life, per_year=12.0)
    wanted = [-math.log(0.99) / 12, -math.log(0.99) / 12, -math.log(0.98) / 12, 0]
    np.testing.assert_allclose(data.expected, wanted, rtol=1e-13)
    with pytest.raises(HeorError, match="has no column `year`"):
        read_data(path, replace(columns, year="time"), expected=life)
    bad = written(tmp_path, "time,event,age,sex\n6,1,59,x\n")
    assert problems(bad, columns, expected=life) == [
        ", row 2, column age: found `59`; expected an age from 60",
        ", row 2, column sex: found `x`; expected male, m, man or female, f, woman",
    ]


def test_expected_hazards_by_calendar_year(tmp_path):
    """Age and year go on together; the last of each holds."""
    rows = "".join(
        f"{y},{a},{0.01 * (a - 59) + 0.001 * (y - 2020)},0.5\n"
        for y in (2020, 2021)
        for a in (60, 61)
    )
    life = written(tmp_path, f"year,age,male,female\n{rows}", "life.csv")
    subjects = "6,1,60.4,m,2020\n6,1,60.6,m,2020.6\n90,1,60,m,2020\n1,1,60,f,2020\n"
    path = written(tmp_path, f"time,event,age,sex,at\n{subjects}")
    columns = Columns(time="time", event="event", age="age", sex="sex", year="at")
    data = read_data(path, columns, expected=life, per_year=12.0)
    wanted = [-math.log(1 - q) / 12 for q in (0.01, 0.021, 0.021, 0.5)]
    np.testing.assert_allclose(data.expected, wanted, rtol=1e-13)
    with pytest.raises(HeorError, match="has a column `year`"):
        read_data(path, replace(columns, year=""), expected=life)
    early = written(tmp_path, "time,event,age,sex,at\n6,1,60,m,2019.5\n")
    assert problems(early, columns, expected=life) == [
        ", row 2, column at: found `2019.5`; expected a year from 2020"
    ]
    wrong = "year,age,male,female\n2020,60,0.1,0.1\n2022,60,0.1,0.1\n2022,62,0.1,0.1\n"
    with pytest.raises(InputErrors) as caught:
        read_life_table(written(tmp_path, wrong, "wrong.csv"))
    assert [str(p).removeprefix(str(tmp_path / "wrong.csv")) for p in caught.value.problems] == [
        ", row 3, column year: found 2022 after 2020; years rise by 1",
        ", row 4, column age: found 62 after 60; ages rise by 1",
    ]
    uneven = "year,age,male,female\n2020,60,0.1,0.1\n2020,61,0.1,0.1\n2021,60,0.1,0.1\n"
    with pytest.raises(InputErrors, match="same ages"):
        read_life_table(written(tmp_path, uneven, "uneven.csv"))


def test_problems_of_a_life_table(tmp_path):
    path = written(tmp_path, "age,male,female\n60,1,0.1\n62,0.1,1.2\n", "life.csv")
    with pytest.raises(InputErrors) as caught:
        read_life_table(path)
    assert [str(p).removeprefix(str(path)) for p in caught.value.problems] == [
        ", row 2, column male: everybody (male) dies at the first age",
        ", row 3, column age: found 62 after 60; ages rise by 1",
        ", row 3, column female: found `1.2`; expected a probability from 0 to 1",
    ]


# --- comparing -------------------------------------------------------------------------------

REQUESTS = [Request(family=name) for name in ("exponential", "weibull", "lognormal", "gengamma")]


def test_candidates_of_each_group():
    data = simulated()
    first, second = compare(data, REQUESTS, together=False, per_year=12.0, horizon=20.0)
    assert (first.group, second.group) == ("a", "b")
    weibull = first.candidates[1]
    alone = fit("weibull", data.of("a"))
    assert weibull.fit is not None
    np.testing.assert_allclose(weibull.fit.theta, alone.theta, rtol=1e-10)
    shape, scale = alone.estimates.values()
    assert weibull.median == pytest.approx(scale * math.log(2) ** (1 / shape), rel=1e-12)
    at_year = weibull.survival[0]
    assert at_year.value == pytest.approx(math.exp(-((12 / scale) ** shape)), rel=1e-12)
    # ln(-ln S) = shape (ln t - ln scale): its exact gradient
    gradient = np.array([shape * math.log(12 / scale), -shape])
    error = math.sqrt(gradient @ alone.covariance @ gradient)
    middle = math.log(-math.log(at_year.value))
    assert at_year.low == pytest.approx(math.exp(-math.exp(middle + 1.959963985 * error)), rel=1e-6)
    assert at_year.high == pytest.approx(
        math.exp(-math.exp(middle - 1.959963985 * error)), rel=1e-6
    )
    exact_mean = scale * math.gamma(1 + 1 / shape)
    assert weibull.mean == pytest.approx(exact_mean, rel=1e-8)
    assert weibull.rmst.value == pytest.approx(
        float(CURVES["weibull"].restricted_mean([shape, scale], 240.0)), rel=1e-12
    )
    assert weibull.rmst.low < weibull.rmst.value < weibull.rmst.high
    assert weibull.hazard == "rises"
    assert first.candidates[0].hazard == "constant"
    low, high = (math.log(x) for x in (weibull.parameters["shape"].low, shape))
    assert high - low == pytest.approx(1.959963985 * math.sqrt(alone.covariance[0, 0]), rel=1e-9)
    assert sum(one.weight for one in first.candidates) == pytest.approx(1.0)
    assert first.best is max(first.candidates, key=lambda one: one.weight)


def test_one_model_for_all_groups():
    data = simulated()
    first, second = compare(data, REQUESTS[1:2], together=True, per_year=12.0, horizon=20.0)
    a, b = first.candidates[0], second.candidates[0]
    assert a.fit is b.fit
    assert b.median / a.median == pytest.approx(math.exp(b.parameters["group:b"].value), rel=1e-10)
    assert (first.subjects, second.subjects) == (125, 125)


def test_aic_weights_are_those_of_the_sound_fits():
    data = simulated(groups=("",))
    fits = [fit("exponential", data), fit("weibull", data), "no fit"]
    weights = aic_weights(fits)
    ratio = math.exp(-0.5 * (fits[0].aic - fits[1].aic))
    assert weights[0] / weights[1] == pytest.approx(ratio, rel=1e-12)
    assert weights[2] == 0
    assert math.isnan(aic_weights(["no fit"])[0])


def test_what_is_doubtful_is_said():
    few = right_censored([1.0, 2.0, 5.0, 7.0, 9.0], [1, 1, 0, 1, 0])
    (found,) = compare(
        few,
        [*REQUESTS, Request(family="spline", inner=4)],
        together=False,
        per_year=12.0,
        horizon=20.0,
    )
    notes = "\n".join(found.notes)
    assert "fewer than 10 events for each number fitted (exponential, weibull" in notes
    assert "6 numbers to fit need as many events; found 3" in notes
    same = right_censored([3.0] * 8, [1] * 8)
    (found,) = compare(same, REQUESTS[1:3], together=False, per_year=12.0, horizon=20.0)
    assert found.notes[-1].startswith("weibull, lognormal: no maximum inside its range")
    assert found.best is None
    assert [one.hazard for one in found.candidates] == ["", ""]


def test_no_events_are_named_by_group():
    data = right_censored([1.0, 2.0, 3.0], [1, 0, 0], group=["x", "y", "y"])
    with pytest.raises(HeorError, match="no events in `y`: every subject is censored"):
        compare(data, REQUESTS, together=False, per_year=12.0, horizon=20.0)
    one = right_censored([1.0], [1])
    with pytest.raises(HeorError, match="2 numbers to fit need as many events; found 1"):
        compare(one, REQUESTS[1:2], together=False, per_year=12.0, horizon=20.0)


def test_hazards_in_words():
    assert hazard_words(lambda t: 0.1 + 0 * t, 0.1, 100) == "constant"
    assert hazard_words(lambda t: t, 0.1, 100) == "rises"
    assert hazard_words(lambda t: 1 / t, 0.1, 100) == "falls"
    assert hazard_words(lambda t: (t - 10) ** 2, 0.1, 100).startswith("falls until 10")
    twice = hazard_words(lambda t: 2 + np.sin(t), 0.1, 2 * math.pi)
    assert twice == "rises until 1.57, then falls until 4.71, then rises"
    assert hazard_words(lambda t: 2 + np.sin(t), 0.1, 60).startswith("turns 1")
    assert hazard_words(lambda t: np.full_like(t, np.nan), 0.1, 10) == ""


# --- rows ------------------------------------------------------------------------------------

STUDY = {
    "settings": "key,value\ncurrency,USD\ncycle_length,1 month\nhorizon,20 years\n"
    "discount_rate_costs,3%\ndiscount_rate_outcomes,3%\nbackground_mortality,none\n"
    "reference,{reference}\nthresholds,50000\npsa_sampler,sobol\n",
    "states": "id,label,endpoint\nalive,Alive,os\ndead,Dead,\n",
    "utilities": "strategy,state,value\nall,alive,0.8\n",
}


def study_of(folder: Path, estimates, strategies=("a", "b"), **naming):
    named = {
        "prefix": "fit",
        "strategy": "a",
        "endpoint": "os",
        "groups_are": "strategy",
        "time_unit": "month",
        "source": "assumption",
        **naming,
    }
    tables, left_out = table_rows.rows(estimates, table_rows.Naming(**named))
    for name, text in STUDY.items():
        written(folder, text.replace("{reference}", strategies[0]), f"{name}.csv")
    lines = "".join(f"{key},{key.upper()}\n" for key in strategies)
    written(folder, f"id,label\n{lines}", "strategies.csv")
    for name, rows in tables.items():
        if rows:
            written(folder, table_rows.to_csv(name, rows), f"{name}.csv")
    return read_study(folder), tables, left_out


def estimate(found, groups, **more):
    return table_rows.Estimate(
        model=found.model, theta=found.theta, covariance=found.covariance, groups=groups, **more
    )


def values_of(spec, draws, curve):
    return [e.evaluate(draws.values, len(draws)) for e in curve.parameters.values()]


FORMS = [
    *((name, {}) for name in ("exponential", "weibull", "gompertz", "gamma", "lognormal")),
    *((name, {}) for name in ("loglogistic", "gengamma", "genf")),
    *(("spline", {"scale": scale, "inner": 2}) for scale in ("hazard", "odds", "normal")),
]


@pytest.mark.parametrize(("name", "options"), FORMS, ids=lambda v: str(v))
def test_a_study_reads_the_rows_and_draws_the_fitted_covariance(tmp_path, name, options):
    data = simulated(300) if name != "genf" else late_falling()
    fits = {g: fit(name, data.of(g), **options) for g in data.groups}
    assert all(one.sound for one in fits.values())
    estimates = [estimate(one, (g,), best=True) for g, one in fits.items()]
    spec, tables, left_out = study_of(tmp_path, estimates)
    assert not left_out
    at = np.array([1.0, 6.0, 24.0])
    draws = base(spec)
    for curve in spec.curves:
        numbers = [float(v[0]) for v in values_of(spec, draws, curve)]
        shown = np.exp(family_of_curve(curve).log_survival(at, numbers))
        one = fits[curve.strategy]
        np.testing.assert_allclose(shown, one.survival(at), rtol=1e-10)
    n = 2**13
    drawn = sample(spec, n, sampler="sobol", seed=3)
    for one, rows in zip(fits.values(), _by_curve(tables), strict=True):
        made = np.stack([drawn.values[row["id"]] for row in rows])
        spread = np.sqrt(np.diag(one.covariance))
        np.testing.assert_allclose(
            made.mean(axis=1), one.theta, atol=0.01 * spread.max(), rtol=1e-3
        )
        gap = (np.cov(made) - one.covariance) / np.outer(spread, spread)
        assert np.abs(gap).max() < 0.02


def _by_curve(tables):
    found = {}
    for row in tables["parameters"]:
        found.setdefault(row["correlation_group"] or row["id"], []).append(row)
    return found.values()


def test_rows_of_one_model_for_all_groups_and_of_a_cure(tmp_path):
    data = simulated(600, cured=0.3)
    both = fit("weibull", data, together=True, cure="mixture")
    assert both.sound
    spec, tables, left_out = study_of(tmp_path, [estimate(both, data.groups)])
    assert not left_out
    assert len(tables["parameters"]) == 4
    assert len(tables["correlations"]) == 6
    draws = base(spec)
    at = np.array([1.0, 6.0, 24.0])
    for curve in spec.curves:
        numbers = [float(v[0]) for v in values_of(spec, draws, curve)]
        share = float(curve.cure_fraction.evaluate(draws.values, 1)[0])
        alive = share + (1 - share) * np.exp(CURVES["weibull"].log_survival(at, numbers))
        np.testing.assert_allclose(alive, both.survival(at, curve.strategy), rtol=1e-10)


def test_what_cannot_be_written_is_said(tmp_path):
    data = simulated(600, groups=("",), cured=0.3)
    bounded = fit("weibull", data, cure="non_mixture")
    stuck = fit("weibull", right_censored([3.0] * 8, [1] * 8))
    fine = fit("weibull", data)
    estimates = [estimate(one, ("",), form=form) for one, form in ((bounded, "c"), (stuck, ""))]
    spec, _, left_out = study_of(
        tmp_path, [*estimates, estimate(fine, ("",))], strategies=("a", "b")[:1]
    )
    assert [curve.id for curve in spec.curves] == ["fit_weibull"]
    assert left_out == [
        "weibull, c is left out of the rows: the table `curves` has cured shares of mixtures only.",
        "weibull is left out of the rows: there is no sound maximum, so no covariance.",
    ]


def test_ids_are_free_and_fixed_numbers_have_no_distribution(tmp_path):
    model = Model(family=CURVES["weibull"])
    twice = [
        table_rows.Estimate(
            model=model, theta=np.array([0.1, 2.0]), covariance=None, groups=("Arm (1)",), best=best
        )
        for best in (True, False)
    ]
    spec, tables, _ = study_of(tmp_path, twice, strategies=("arm_1",), groups_are="strategy")
    assert [curve.id for curve in spec.curves] == ["fit_arm_1_weibull", "fit_arm_1_weibull_2"]
    assert not tables["correlations"]
    assert all(p.distribution is None for p in spec.parameters.values())


def test_groups_may_be_response_groups():
    found = fit("weibull", simulated())
    naming = table_rows.Naming(
        prefix="x",
        strategy="new",
        endpoint="pfs",
        groups_are="group",
        time_unit="month",
        source="trial",
    )
    tables, _ = table_rows.rows([estimate(found, ("Responder",))], naming)
    (curve,) = tables["curves"]
    assert (curve["strategy"], curve["group"], curve["source"]) == ("new", "responder", "trial")
