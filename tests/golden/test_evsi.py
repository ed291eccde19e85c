"""EVSI and nested Monte Carlo against closed forms of conjugate models.

Normal: net benefit linear in a normal input, data its mean of n (Raiffa & Schlaifer 1961). Beta and
binomial: a sum over the beta-binomial. Gamma and censored exponential times: the posterior mean is
(a + events)/(b + time at risk). EVSI of a linear net benefit is that of its posterior mean.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers_spec import minimal_spec, uncertain
from linear_study import GAIN, PRICE, linear_study
from scipy import stats
from small_studies import cost, curve, settings, study
from test_voi_oracles import normal_value

from heor.analyses import designs, evsi, importance, nested, psa, voi
from heor.cli import main
from heor.engine.evaluate import evaluate, traces
from heor.errors import HeorError
from heor.spec import draws as draw_sets
from heor.spec.parameters import Draws

SHIPPED = Path(__file__).parents[2] / "inputs" / "lifileucel_nsclc"


def worth(values, shown, n, thresholds=(1.0,)):
    """Value of one data set a draw, both ways; ``values`` is the gain in QALYs by draw."""
    qalys = np.column_stack([np.zeros(len(values)), values])
    prior = evsi.Prior(np.zeros_like(qalys), qalys, np.asarray(thresholds))
    rng = np.random.default_rng(7)
    data = [designs.simulate(one, n, rng) for one in shown]
    return evsi.by_regression(prior, shown, data), evsi.by_weights(prior, shown, n, data, most=400)


def part(kind, target="x", **fields):
    return designs.Part(kind=kind, target=target, **fields)


@pytest.mark.parametrize("mean", [0.0, 150.0, -250.0])
@pytest.mark.parametrize("n", [5, 50])
def test_linear_normal_model(mean, n):
    a, b = np.random.default_rng(12).standard_normal((2, 4_000))
    shown = [designs.Chances(part("normal", sd=3.0), mean=a)]
    regression, (check, check_se, effective) = worth(mean + 300 * a + 200 * b, shown, n)
    exact = normal_value(mean, 300 * math.sqrt(n / (n + 3.0**2)))
    error = math.hypot(regression.se[0], regression.draws_se[0])
    assert regression.value[0] == pytest.approx(exact, abs=3 * error)
    # weights also carry the error of the means over the draws
    assert check[0] == pytest.approx(exact, abs=4 * math.hypot(check_se[0], 360 / math.sqrt(4_000)))
    assert 250 < effective < 4_000
    assert error < 9


def beta_binomial_value(a, b, n, gain, price):
    """EVSI of n binomial observations where net benefit is gain·p − price."""
    x = np.arange(n + 1)
    after = gain * (a + x) / (a + b + n) - price
    chance = stats.betabinom.pmf(x, n, a, b)
    return float(chance @ np.maximum(after, 0) - max(0.0, gain * a / (a + b) - price))


@pytest.mark.parametrize("n", [1, 10, 100])
@pytest.mark.parametrize("price", [200.0, 256.0, 300.0])
def test_beta_binomial_model(n, price):
    p = stats.beta.ppf((np.arange(4_000) + 0.5) / 4_000, 10, 29)
    np.random.default_rng(1).shuffle(p)
    shown = [designs.Chances(part("binomial"), share=np.stack([p, 1 - p], axis=1)[:, None, :])]
    regression, (check, check_se, _) = worth(1_000 * p - price, shown, n)
    exact = beta_binomial_value(10, 29, n, 1_000, price)
    error = math.hypot(regression.se[0], regression.draws_se[0])
    assert regression.value[0] == pytest.approx(exact, abs=3 * error + 1e-9)
    assert check[0] == pytest.approx(exact, abs=3.5 * check_se[0] + 1e-9)
    assert error < 3


RATE = (8.0, 40.0)


def rate_study():
    """Strategy ``b`` dies at an uncertain rate a month, gamma (8, 40) years."""
    shape, years = RATE
    curves = [
        curve("a", "pfs", "exponential", {"rate": 0.5}, time_unit="year"),
        curve("a", "os", "exponential", {"rate": 0.3}, time_unit="year"),
        curve("b", "pfs", "exponential", {"rate": "2*death"}, time_unit="year"),
        curve("b", "os", "exponential", {"rate": "death"}, time_unit="year"),
    ]
    death = uncertain("death", "gamma", shape / years, a=shape, b=1 / years)
    return study(curves, options=settings(), parameters=[death])


@pytest.mark.parametrize(("start", "until", "n"), [(0, 24, 40), (12, 36, 15)])
def test_censored_times_from_the_curves_of_the_model(start, until, n):
    spec = rate_study()
    draws = draw_sets.sample(spec, 3_000, seed=3)
    rate = draws.values["death"]
    design = designs.read_design(f"x=survival:b.os:{start}-{until}")
    shown = designs.chances(spec, draws, design)
    np.testing.assert_allclose(shown[0].share.sum(axis=(1, 2)), 1.0, rtol=1e-12)
    watched = shown[0].edges[-1] - shown[0].edges[0]
    np.testing.assert_allclose(shown[0].share[:, 0, -1], np.exp(-rate * watched), rtol=1e-9)
    gain = 200.0 - 1_000.0 * rate
    regression, (check, check_se, _) = worth(gain, shown, n)
    # exact: the posterior mean of continuous times, in a large sample of its own
    rng = np.random.default_rng(8)
    true = rng.gamma(RATE[0], 1 / RATE[1], 40_000)
    times = rng.exponential(1 / true[:, None], (40_000, n))
    events, at_risk = (times <= watched).sum(1), np.minimum(times, watched).sum(1)
    after = 200.0 - 1_000.0 * (RATE[0] + events) / (RATE[1] + at_risk)
    exact = np.maximum(after, 0).mean() - max(0.0, after.mean())
    own = np.maximum(after, 0).std() / 200
    error = math.hypot(regression.se[0], regression.draws_se[0])
    assert regression.value[0] == pytest.approx(exact, abs=3 * math.hypot(error, own))
    assert check[0] == pytest.approx(exact, abs=3 * math.hypot(check_se[0], own))


def test_errors_cover_the_closed_forms():
    """95% intervals of EVPI, EVPPI and EVSI cover them as often; benchmarks/voi.py has more."""
    hits = np.zeros(3)
    exact = (
        normal_value(100.0, math.hypot(300, 400)),
        normal_value(100.0, 300.0),
        normal_value(100.0, 300 * math.sqrt(20 / 29)),
    )
    for seed in range(50):
        rng = np.random.default_rng(seed)
        a, b, noise = rng.standard_normal((3, 1_000))
        gain = 100 + 300 * a + 400 * b
        qalys = np.column_stack([np.zeros(1_000), gain])
        prior = evsi.Prior(np.zeros_like(qalys), qalys, np.array([1.0]))
        hits[0] += abs(prior.evpi[0] - exact[0]) <= 1.96 * voi.draws_error(gain[None, None])[0]
        known = (a, a + noise * 3 / math.sqrt(20))
        for place, x in enumerate(known, start=1):
            one = voi.worth_of(x[:, None], prior.costs, qalys, prior.thresholds, 1.0, prior.evpi)
            error = math.hypot(one.se[0], one.draws_se[0])
            hits[place] += abs(one.value[0] - exact[place]) <= 1.96 * error
    assert (hits >= 43).all()  # 95% less three binomial standard errors
    assert hits.sum() <= 3 * 50 * 0.995


def test_order_of_values_and_the_limit_of_large_studies():
    p = np.random.default_rng(5).beta(10, 29, 2_500)
    other = np.random.default_rng(6).normal(0, 50, 2_500)
    gain = 1_000 * p - 256 + other
    shown = [designs.Chances(part("binomial"), share=np.stack([p, 1 - p], axis=1)[:, None, :])]
    qalys = np.column_stack([np.zeros(2_500), gain])
    inputs = {"p": p, "other": other}
    one, everything = voi.evppi(
        inputs, [("p",), ("p", "other")], np.zeros_like(qalys), qalys, [1.0]
    )
    prior = evsi.Prior(np.zeros_like(qalys), qalys, np.array([1.0]))
    rng = np.random.default_rng(4)
    values = []
    for n in (5, 50, 500, 100_000):
        data = [designs.simulate(shown[0], n, rng)]
        values.append(evsi.by_regression(prior, shown, data).value[0])
    assert 0 < values[0] < values[1] < values[2] < one.evppi[0] < prior.evpi[0]
    assert values[3] == pytest.approx(one.evppi[0], rel=0.01)
    assert everything.evppi[0] == pytest.approx(prior.evpi[0], rel=0.003)


def test_patients_of_all_groups_show_their_group_and_their_times():
    spec = rate_study()
    draws = Draws({"death": np.array([0.2, 0.4])})
    responders = [
        curve("b", "pfs", "exponential", {"rate": 0.9}, group="yes", weight="death"),
        curve("b", "os", "exponential", {"rate": 0.1}, group="yes", weight="death"),
        curve("b", "pfs", "exponential", {"rate": 0.9}, group="no", weight="1-death"),
        curve("b", "os", "exponential", {"rate": 0.6}, group="no", weight="1-death"),
    ]
    others = [one for one in spec.curves if one.strategy == "a"]
    spec = study([*others, *responders], options=settings(), parameters=[*spec.parameters.values()])
    (shown,) = designs.chances(spec, draws, designs.read_design("x=survival:b.os:24"))
    np.testing.assert_allclose(shown.share.sum(axis=2)[:, 0], [0.2, 0.4], rtol=1e-12)
    counts = designs.simulate(shown, 400, np.random.default_rng(2))
    assert counts.sum(axis=(1, 2)).tolist() == [400, 400]
    logs = designs.log_likelihood(shown, 400, counts)
    assert logs.argmax(axis=1).tolist() == [0, 1]
    assert len(designs.statistics(shown, counts)) == 1 + 2 * 2
    (only,) = designs.chances(spec, draws, designs.read_design("x=survival:b.os.yes:24"))
    assert only.share.shape[1] == 1


# --- nested Monte Carlo --------------------------------------------------------------------------


@pytest.mark.parametrize("follow_up", [None, 2.0])
@pytest.mark.parametrize("months", [12, 60])
def test_a_survival_that_is_derived_is_that_of_the_model(follow_up, months):
    """A short study is watched on the model's curve, not on one derived up to its own end."""
    spec = study(
        [
            curve("a", "pfs", "weibull", {"shape": 1.3, "scale": 0.8}),
            curve("a", "os", "weibull", {"shape": 1.4, "scale": 2.0}),
        ],
        options=settings(structure="state_transition_reset", horizon=4.0, pps_follow_up=follow_up),
    )
    draws = draw_sets.base(spec)
    design = designs.read_design(f"s=survival:a.os:{months}")
    (one,) = designs.chances(spec, draws, design)
    alive = traces(spec, draws)["a"].endpoints["os"][0]
    # after the model's horizon, survival goes on
    at = (one.edges / spec.settings.cycle_length).round().astype(int)
    at = at[at < len(alive)]
    left = 1 - np.concatenate([[0.0], np.cumsum(one.share[0, 0, :-1])])
    assert left[: len(at)] == pytest.approx(alive[at], abs=1e-14)


def test_nested_evppi_of_a_linear_study():
    spec = linear_study()
    lived = float(evaluate(spec, draw_sets.base(spec)).of("b", "ly")[0])
    threshold = 26_000.0
    mean = threshold * GAIN[0] * lived - PRICE[0]
    sds = {"gain": threshold * GAIN[1] * lived, "price": PRICE[1]}
    for names in (("gain",), ("price",), ("gain", "price")):
        exact = normal_value(mean, math.hypot(*(sds[name] for name in names)))
        found = nested.evppi(spec, names, 600, 60, [threshold], seed=5)
        # the best of noisy means is too good by less than twice what halves show
        noise = math.sqrt(sum(sds[n] ** 2 for n in sds if n not in names) / 60)
        assert -2 * found.se[0] <= found.bias[0] <= noise
        high = max(found.bias[0], 0.0)
        assert exact - 3 * found.se[0] <= found.value[0] <= exact + 3 * found.se[0] + 2 * high
        assert found.se[0] < 0.2 * exact


def test_nested_evsi_of_a_beta_input():
    """Net benefit is linear in the share that pays: the beta-binomial sum is exact."""
    share = uncertain("share", "beta", 0.25, a=5.0, b=15.0)
    spec = minimal_spec([share], costs=(cost("b", "start", "40000*share"),))
    base = evaluate(spec, draw_sets.base(spec))
    gained = float(base.of("b", "qaly")[0] - base.of("a", "qaly")[0])
    threshold = 10_000.0 / gained if gained else 0.0
    found = nested.evsi_binomial(spec, "share", 20, 1_500, 40, [threshold], seed=2)
    # the gain falls with the share: 10,000 − 40,000·share is that of 1 − share, less 30,000
    exact = beta_binomial_value(15, 5, 20, 40_000, 30_000)
    assert found.value[0] == pytest.approx(exact, abs=3 * found.se[0] + 2 * abs(found.bias[0]))
    assert found.se[0] < 0.1 * exact


def test_nested_refuses_what_it_cannot_do():
    spec = minimal_spec([uncertain("x", "normal", 1.0, se=0.1)])
    for names, sizes, words in (
        (("y",), (9, 9), "`y` is not a drawn parameter"),
        (("x",), (1, 9), "2 outer and inner draws"),
    ):
        with pytest.raises(HeorError, match=words):
            nested.evppi(spec, names, *sizes, [1.0], seed=1)
    with pytest.raises(HeorError, match="has no beta distribution"):
        nested.evsi_binomial(spec, "x", 5, 9, 9, [1.0], seed=1)


# --- designs and the command ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("binomial:x", "write NAME=PART"),
        ("a=binomial", "'binomial' is no part"),
        ("a=poisson:x", "'poisson:x' is no part"),
        ("a=normal:x:-1", "standard deviation must be a number above 0, found '-1'"),
        ("a=0*binomial:x", "share must be a number above 0, found '0'"),
        ("a=survival:b.os:24-12", "follow-up must end after month 24"),
        ("a=survival:b.os", "is no part"),
    ],
)
def test_designs_of_another_form_are_refused(text, words):
    with pytest.raises(HeorError, match=words.replace("+", r"\+")):
        designs.read_design(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=binomial:deth", "no parameter `deth`"),
        ("a=survival:c.os:12", "no strategy `c`; there are a, b"),
        ("a=survival:b.ttd:12", "b has no curve `ttd`; there are"),
        ("a=survival:b.os.yes:12", "b has no curve `os.yes`"),
        ("a=survival:b.os:0.1", "less than a cycle"),
        ("a=binomial:big", "`big` is no probability"),
    ],
)
def test_designs_that_do_not_fit_the_study_are_refused(text, words):
    spec = rate_study()
    big = uncertain("big", "normal", 3.0, se=0.1)
    spec = study(spec.curves, options=settings(), parameters=[*spec.parameters.values(), big])
    with pytest.raises(HeorError, match=words):
        designs.chances(spec, draw_sets.sample(spec, 20, seed=1), designs.read_design(text))


def test_patients_after_the_results():
    rate = linear_study().settings.discount_rate_costs
    whole = voi.population(100.0, 5.0, rate)
    by_year = [voi.population(100.0, y + 1.0, rate, after=float(y)) for y in range(5)]
    r = rate.first
    np.testing.assert_allclose(by_year, [100 / (1 + r) ** y for y in range(5)], rtol=1e-12)
    assert sum(by_year) == pytest.approx(whole, rel=1e-12)
    assert voi.population(100.0, 5.0, rate, after=0.25) == pytest.approx(whole - 25, rel=1e-12)
    assert voi.population(100.0, 5.0, rate, after=9.0) == 0


def run(*words: str):
    return CliRunner().invoke(main, ["evsi", *words])


def test_command_weighs_the_cost_of_a_study(tmp_path):
    words = ["--draws", "300", "--n", "20,100", "--thresholds", "150000,1050000"]
    words += ["--design", "more=binomial:lif_orr", "--fixed-cost", "1e6"]
    words += ["--patient-cost", "500000", "--delay", "1"]
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    spec_rate = 1.03
    served = sum(4798 / spec_rate**year for year in range(1, 5))
    assert found["designs"] == [
        {"name": "more", "delay": 1.0, "patients_after": pytest.approx(served, rel=1e-12)}
    ]
    assert len(found["evsi"]) == 4
    for row in found["evsi"]:
        evpi = found["evpi"][found["thresholds"].index(row["threshold"])]
        assert 0 <= row["evsi"] <= evpi
        assert row["cost"] == 1e6 + 5e5 * row["patients"]
        assert row["population_evsi"] == pytest.approx(row["evsi"] * served, rel=1e-12)
        assert row["net_benefit"] == pytest.approx(row["population_evsi"] - row["cost"])
        if row["threshold"] == 150_000:
            assert row["evsi"] == 0
            assert not row["best"]
    uncertain_rows = [row for row in found["evsi"] if row["threshold"] == 1_050_000]
    best = max(uncertain_rows, key=lambda row: row["net_benefit"])
    assert [row["best"] for row in uncertain_rows] == [row is best for row in uncertain_rows]
    shown = run(*words, "--no-color")
    assert "At $150,000 per QALY even perfect information is worth nothing" in shown.output
    assert f"with {best['patients']} patients" in " ".join(shown.output.split())
    target = tmp_path / "evsi.csv"
    assert run(*words, "-o", str(target)).exit_code == 0
    assert target.read_text(encoding="utf-8").count("\n") == 5


@pytest.mark.parametrize("sizes", ["0", "20,x", "", "1.5"])
def test_sizes_are_whole_numbers(sizes):
    done = run("--design", "a=binomial:lif_orr", "--n", sizes)
    assert done.exit_code == 2
    assert "whole numbers" in done.output


def test_costs_need_the_number_of_patients():
    spec = linear_study()
    sample = psa.run(spec, n=20, sampler="random")
    design = designs.read_design("a=normal:gain:0.1")
    with pytest.raises(HeorError, match="`incidence` and `decision_horizon`"):
        evsi.run(spec, sample, [design], [5], evsi.Costs(fixed=1.0))
    found = evsi.run(spec, sample, [design], [5], evsi.Costs(), [1e4])
    assert found.designs[0].samples[0].net_benefit is None
    assert found.designs[0].best == (None,)


def test_one_strategy_or_one_draw_has_no_value_of_information():
    spec = rate_study()
    alone = dataclasses.replace(
        spec,
        strategies=spec.strategies[:1],
        curves=tuple(c for c in spec.curves if c.strategy == spec.strategies[0].id),
        costs=tuple(c for c in spec.costs if c.strategy in ("all", spec.strategies[0].id)),
        settings=dataclasses.replace(spec.settings, reference=spec.strategies[0].id),
    )
    drawn = psa.run(alone, 60)
    for analyse in (
        lambda: voi.run(alone, drawn, {}),
        lambda: evsi.run(alone, drawn, [], [10], evsi.Costs()),
        lambda: importance.run(alone, drawn),
    ):
        with pytest.raises(HeorError, match="with one strategy"):
            analyse()
    assert not importance.possible(alone, drawn)
    with pytest.raises(HeorError, match="2 draws"):
        evsi.run(spec, psa.run(spec, 1), [], [10], evsi.Costs())
