"""Shares of variance: closed forms of linear models, Ishigami's function, Sobol against draws."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from helpers_spec import pair, uncertain
from linear_study import GAIN, PRICE, linear_study

from heor.analyses import base_case, importance, psa, sobol
from heor.analyses.factors import ROWS, Factor, factors_of
from heor.cli import main
from heor.errors import HeorError
from heor.spec import draws as draw_sets
from heor.spec.distributions import make_empirical
from heor.spec.reader import read_study, shipped_studies
from heor.spec.sampling import Streams

N = 20_000


@pytest.fixture(scope="module")
def linear():
    return linear_study(uncertain("idle", "normal", 1.0, se=0.1))


@pytest.fixture(scope="module")
def drawn(linear):
    return psa.run(linear, N)


def single(name):
    return Factor(name=name, label=name, parameters=(name,), together="")


def by_name(rows):
    return {row.factor.name: row for row in rows}


# --- a linear model ------------------------------------------------------------------------------


def test_shares_of_a_linear_model_are_its_variances(linear, drawn):
    """INMB = k·years·gain - price, so the shares are (k·years·sd)² and sd² over their sum."""
    result = importance.run(linear, drawn)
    years = base_case.run(linear).totals("b").ly
    variances = {"gain": (25_000.0 * years * GAIN[1]) ** 2, "price": PRICE[1] ** 2}
    whole = sum(variances.values())
    one = result.of("b", "inmb")
    assert one.r2 == pytest.approx(1.0, abs=1e-9)
    assert one.sd == pytest.approx(math.sqrt(whole), rel=0.03)
    rows = by_name(one.rows)
    for name, variance in variances.items():
        row, expected = rows[name], variance / whole
        assert row.share == pytest.approx(expected, abs=4 * row.share_se)
        assert 0.0005 < row.share_se < 0.01
        assert row.first == pytest.approx(expected, abs=4 * row.first_se + 1e-3)
        assert abs(row.src) == pytest.approx(math.sqrt(expected), abs=0.02)
        normal_rank = 6 / math.pi * math.asin(math.sqrt(expected) / 2)
        assert abs(row.rank) == pytest.approx(normal_rank, abs=4 * row.rank_se)
    assert rows["gain"].src > 0 > rows["price"].src
    assert rows["idle"].share == pytest.approx(0, abs=1e-9)
    assert rows["idle"].first < 0.003
    assert by_name(result.of("b", "delta_cost").rows)["price"].share == pytest.approx(1, abs=1e-3)
    assert by_name(result.of("b", "delta_qaly").rows)["price"].share == pytest.approx(0, abs=1e-9)
    assert [row.first for row in one.rows] == sorted((r.first for r in one.rows), reverse=True)


def test_linear_sobol_indices_are_the_same_shares(linear):
    result = sobol.run(linear, 1024, seed=3)
    assert result.evaluations == 1024 * 5
    years = base_case.run(linear).totals("b").ly
    variance = (25_000.0 * years * GAIN[1]) ** 2
    expected = {"gain": variance / (variance + PRICE[1] ** 2), "idle": 0.0}
    expected["price"] = 1 - expected["gain"]
    for index in result.indices["b", "inmb"]:
        wanted = expected[index.factor.name]
        assert index.first == pytest.approx(wanted, abs=1.5 * index.first_half + 1e-9)
        assert index.total == pytest.approx(wanted, abs=1.5 * index.total_half + 1e-9)
        assert index.first_half < 0.11
        assert index.total_half < 0.11


def test_jackknife_errors_are_the_spread_over_repetitions():
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(2, 400))
        ((_, rows),) = importance.explain(
            [single("a"), single("b")], [[a], [b]], [2 * a + b + 0.5 * rng.normal(size=400)]
        )
        found.append((rows[0].share, rows[0].share_se))
    shares, errors = np.array(found).T
    assert shares.mean() == pytest.approx(4 / 5.25, abs=0.01)
    assert errors.mean() == pytest.approx(shares.std(), rel=0.2)


def test_correlated_inputs_count_as_one_and_share_what_they_share():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(3, N))
    a, b, c = z[0], 0.8 * z[0] + 0.6 * z[1], z[2]
    y = a + b + c
    both = Factor(name="both", label="both", parameters=("a", "b"), together="correlated")
    ((r2, rows),) = importance.explain([both, single("c")], [[a, b], [c]], [y])
    assert r2 == pytest.approx(1, abs=1e-9)
    assert rows[0].share == pytest.approx(3.6 / 4.6, abs=0.01)
    assert rows[0].first == pytest.approx(3.6 / 4.6, abs=0.01)
    assert rows[0].src is None
    assert rows[0].rank is None
    ((_, apart),) = importance.explain([single(n) for n in "abc"], [[a], [b], [c]], [y])
    assert apart[0].share == pytest.approx(0.36 / 4.6, abs=0.01)
    assert apart[0].first == pytest.approx(1.8**2 / 4.6, abs=0.01)


def test_a_column_that_others_determine_is_left_out_of_the_regression():
    rng = np.random.default_rng(2)
    a, b = rng.uniform(size=(2, 500))
    shares = Factor(name="s", label="s", parameters=("a", "b", "rest"), together="shares")
    ((r2, rows),) = importance.explain([shares], [[a, b, 1 - a - b]], [a + 2 * b])
    assert r2 == pytest.approx(1, abs=1e-9)
    assert rows[0].share == pytest.approx(1, abs=1e-9)


# --- not linear ----------------------------------------------------------------------------------


def ishigami(x):
    return np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])


def ishigami_indices():
    """Closed forms (Ishigami & Homma 1990; Sobol & Levitan 1999), a = 7, b = 0.1."""
    a, b, pi = 7.0, 0.1, math.pi
    whole = a**2 / 8 + b * pi**4 / 5 + b**2 * pi**8 / 18 + 0.5
    first = 0.5 * (1 + b * pi**4 / 5) ** 2, a**2 / 8, 0.0
    third = b**2 * pi**8 * (1 / 18 - 1 / 50)
    total = first[0] + third, first[1], third
    return [v / whole for v in first], [v / whole for v in total]


def test_salib_on_ishigami():
    factors = [single(name) for name in ("x1", "x2", "x3")]
    problem, points = sobol.design(factors, 4096, seed=11)
    x = np.array([math.pi * (2 * points[f.name] - 1) for f in factors])
    found = sobol.analyse(factors, problem, ishigami(x), seed=11)
    first, total = ishigami_indices()
    for index, s1, st in zip(found, first, total, strict=True):
        assert index.first == pytest.approx(s1, abs=0.015)
        assert index.total == pytest.approx(st, abs=0.015)
        assert index.first == pytest.approx(s1, abs=1.5 * index.first_half)
        assert index.total == pytest.approx(st, abs=1.5 * index.total_half)


def test_first_order_indices_of_ishigami_from_plain_draws():
    x = math.pi * (2 * np.random.default_rng(5).uniform(size=(3, N)) - 1)
    ((r2, rows),) = importance.explain(
        [single(name) for name in ("x1", "x2", "x3")], [[c] for c in x], [ishigami(x)]
    )
    for row, wanted in zip(rows, ishigami_indices()[0], strict=True):
        assert row.first == pytest.approx(wanted, abs=4 * row.first_se + 0.004)
    assert r2 < 0.25


def test_a_surface_sees_an_interaction():
    rng = np.random.default_rng(6)
    a, b, e = rng.normal(size=(3, N))
    both = Factor(name="both", label="both", parameters=("a", "b"), together="correlated")
    ((_, rows),) = importance.explain([both, single("e")], [[a, b], [e]], [a * b + e])
    assert rows[0].first == pytest.approx(0.5, abs=0.02)
    assert rows[0].share < 0.01


def test_the_broken_line_with_ties_and_few_draws():
    x = np.repeat([0.0, 1.0], 300)
    y = np.random.default_rng(7).normal(size=(600, 1)) + 2 * x[:, None]
    assert importance.broken_line(x, y)[0] == pytest.approx(0.5, abs=0.08)
    assert importance.broken_line(np.zeros(50), y[:50]) == pytest.approx(0, abs=0.3)
    assert 0 <= importance.broken_line(x[:5], y[:5])[0] <= 1


def test_an_input_without_effect_explains_next_to_nothing_on_average():
    """Without the correction for its 32 terms it would explain 32 of 600."""
    found = []
    for seed in range(60):
        x, y = np.random.default_rng(seed).normal(size=(2, 600))
        found.append(importance.broken_line(x, y[:, None])[0])
    assert np.mean(found) < 0.02


# --- studies -------------------------------------------------------------------------------------


def test_factors_of_a_study():
    spec = linear_study(
        uncertain("c1", "normal", 1.0, se=0.1),
        uncertain("c2", "normal", 1.0, se=0.1),
        uncertain("z1", "normal", 1.0, se=0.1),
        uncertain("z2", "normal", 1.0, se=0.1),
        uncertain("row1", make_empirical([1.0, 2.0]), 1.5),
        uncertain("row2", make_empirical([2.0, 3.0]), 2.5),
    )
    spec = dataclasses.replace(
        spec,
        correlations=(pair("g", "c1", "c2", 0.5), pair("h", "z1", "z2", 0.0)),
        empirical={"row1": np.array([1.0, 2.0]), "row2": np.array([2.0, 3.0])},
    )
    found = {f.name: (f.parameters, f.together) for f in factors_of(spec)}
    assert found == {
        "gain": (("gain",), ""),
        "price": (("price",), ""),
        "g": (("c1", "c2"), "correlated"),
        "z1": (("z1",), ""),
        "z2": (("z2",), ""),
        ROWS: (("row1", "row2"), "rows"),
    }
    _, points = sobol.design(factors_of(spec), 16, seed=1)
    drawn = draw_sets.at(spec, points)
    assert (drawn.values["row2"] == drawn.values["row1"] + 1).all()
    assert np.corrcoef(drawn.values["c1"], drawn.values["c2"])[0, 1] > 0


def test_a_group_may_have_the_name_of_an_input():
    """Each factor keeps its own numbers: 2a + b + c with c named as the group of a and b."""
    factors = [
        Factor(name="c", label="both", parameters=("a", "b"), together="correlated"),
        single("c"),
    ]
    problem, points = sobol.design(factors, 1024, seed=4)
    assert len(points["a"]) == 1024 * (len(factors) + 2)
    both, alone = sobol.analyse(
        factors, problem, 2 * points["a"] + points["b"] + points["c"], seed=4
    )
    assert both.first == pytest.approx(5 / 6, abs=0.03)
    assert alone.total == pytest.approx(1 / 6, abs=0.03)


def test_draws_at_the_numbers_of_the_streams_are_the_draws():
    """`draws.at` forms correlations, shares and formulas as `draws.sample` does."""
    spec = read_study(shipped_studies() / "three_strategies")
    wanted = draw_sets.sample(spec, 64, seed=9)
    streams = Streams(9, 64, "random", 0, ())
    names = [p for f in factors_of(spec) for p in f.parameters]
    found = draw_sets.at(spec, {name: streams.uniform(name) for name in names})
    for name, values in wanted.values.items():
        assert (found.values[name] == values).all(), name


def test_sobol_and_draws_agree_on_a_study():
    spec = read_study(shipped_studies() / "three_strategies")
    drawn = importance.run(spec, psa.run(spec, 4000))
    indices = sobol.run(spec, 128)
    for one in drawn.results:
        if one.outcome != "inmb":
            continue
        found = {i.factor.name: i for i in indices.indices[one.id, one.outcome]}
        for row in one.rows:
            index = found[row.factor.name]
            assert row.first == pytest.approx(index.first, abs=2 * index.first_half + 0.02)
            assert row.first <= index.total + 1.5 * index.total_half + 0.01


def test_what_importance_refuses(linear, drawn):
    with pytest.raises(HeorError, match="10 draws are too few to explain their spread by 3 inputs"):
        importance.run(linear, psa.run(linear, 10))
    with pytest.raises(HeorError, match="need 5,242,880 evaluations, more than 1,000,000"):
        sobol.run(linear, 2**20)
    with pytest.raises(HeorError, match="no uncertain parameters"):
        sobol.run(linear_study(certain=True), 8)


def test_the_command_in_every_form(tmp_path):
    small = str(shipped_studies() / "three_strategies")

    def ran(*words):
        result = CliRunner().invoke(main, ["importance", small, "--draws", "400", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    shape = json.loads(ran("--sobol", "16", "--json"))
    assert shape["sobol"]["evaluations"] == 16 * (len(shape["explained"][0]["factors"]) + 2)
    top = shape["explained"][0]["factors"][0]
    printed = ran()
    assert f"{100 * top['first']:.1f}%" in printed
    assert "Sobol" not in printed
    path = tmp_path / "importance.csv"
    ran("--sobol", "16", "-o", str(path))
    header, first = path.read_text("utf-8").splitlines()[:2]
    assert header.startswith("strategy,versus,outcome,name,label")
    assert header.endswith("sobol_total,sobol_total_half")
    assert repr(top["sobol_total"]) in first
    result = CliRunner().invoke(main, ["importance", small, "--sobol", "100"])
    assert result.exit_code == 2
    assert "100 is not a power of 2; take 64 or 128." in result.output
