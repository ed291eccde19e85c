"""Base, one-way and probabilistic rows; streams, samplers and groups (methods 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers_spec import derived, minimal_spec, pair, uncertain
from scipy import special, stats
from small_studies import fixed

from heor.errors import HeorError, InputErrors, ModelError
from heor.spec.distributions import make_empirical
from heor.spec.draws import base, derive, one_way, sample
from heor.spec.parameters import Parameter
from heor.spec.records import SAMPLERS, Spec
from heor.spec.sampling import NotPositiveDefiniteError, Streams, cholesky

PLAIN = [
    uncertain("p", "beta", 0.25, se=0.05),
    uncertain("c", "gamma", 1000.0, se=200.0),
    fixed("price", 5.0),
    uncertain("rr", "lognormal", 0.8, low=0.5, high=1.3),
    derived("total", "price*c"),
    uncertain("u", "normal", 0.7, se=0.03),
]
SHARES = [
    uncertain("s1", "dirichlet", 0.5, a=10.0, correlation_group="s"),
    uncertain("s2", "dirichlet", 0.3, a=6.0, correlation_group="s"),
    uncertain("s3", "dirichlet", 0.2, a=4.0, correlation_group="s"),
]


def normals(*names: str, **changes: Any) -> list[Parameter]:
    return [
        uncertain(name, "multivariate_normal", 1.0, low=None, high=None, correlation_group="m",
                  **changes)
        for name in names
    ]  # fmt: skip


def same(x: Any, y: Any) -> bool:
    return bool(np.asarray(x).tobytes() == np.asarray(y).tobytes())


def messages(spec: Spec, n: int = 10) -> str:
    with pytest.raises(InputErrors) as caught:
        sample(spec, n)
    return str(caught.value)


# --- base and one-way -------------------------------------------------------------------------


def test_base_row() -> None:
    draws = base(minimal_spec(PLAIN))
    assert list(draws.values) == ["p", "c", "price", "rr", "total", "u"]
    assert {name: value.tolist() for name, value in draws.values.items()} == {
        "p": [0.25], "c": [1000.0], "price": [5.0], "rr": [0.8], "total": [5000.0], "u": [0.7],
    }  # fmt: skip
    assert len(base(minimal_spec())) == 1


def test_one_way_rows() -> None:
    spec = minimal_spec(
        [
            uncertain("a", "normal", 1.0, se=0.1, low=0.5, high=2.0),
            fixed("price", 5.0, low=4.0, high=7.0),
            fixed("constant", 3.0),
            fixed("pinned", 3.0, low=3.0, high=3.0),
            fixed("half", 3.0, low=2.0),
            fixed("rate", 0.03, low=0.0, high=0.05, category="Settings"),
            derived("total", "a*price"),
            *SHARES,
            *normals("m1", se=1.0),
            uncertain("e", make_empirical([1.0, 2.0]), 1.5, low=1.0, high=2.0),
        ],
        empirical={"e": np.array([1.0, 2.0])},
    )
    draws = one_way(spec)
    assert draws.labels["parameter"].tolist() == ["", "a", "a", "price", "price"]
    assert draws.labels["bound"].tolist() == ["base", "low", "high", "low", "high"]
    assert draws.values["a"].tolist() == [1.0, 0.5, 2.0, 1.0, 1.0]
    assert draws.values["price"].tolist() == [5.0, 5.0, 5.0, 4.0, 7.0]
    assert draws.values["total"].tolist() == [5.0, 2.5, 10.0, 4.0, 7.0]
    assert draws.values["rate"].tolist() == [0.03] * 5
    assert draws.values["s1"].tolist() == [0.5] * 5
    assert all(same(draws.values[name][:1], base(spec).values[name]) for name in draws.values)


def test_one_way_leaves_out_correlated_pairs() -> None:
    """A correlation of 0 says that the two are independent, so they still move alone."""
    parameters = [
        uncertain(name, "normal", 1.0, se=0.1, low=0.5, high=2.0) for name in ("a", "b", "c", "d")
    ]
    spec = minimal_spec(parameters, correlations=[pair("x", "a", "b", 0.3), pair("y", "c", "d", 0)])
    assert one_way(spec).labels["parameter"].tolist() == ["", "c", "c", "d", "d"]


def test_one_way_of_an_end_at_the_value() -> None:
    draws = one_way(minimal_spec([fixed("x", 3.0, low=3.0, high=4.0)]))
    assert draws.values["x"].tolist() == [3.0, 3.0, 4.0]


def test_one_way_without_intervals_is_the_base_row() -> None:
    draws = one_way(minimal_spec([fixed("x", 3.0)]))
    assert draws.labels["bound"].tolist() == ["base"]


# --- streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube"])
def test_adding_or_reordering_parameters_changes_no_other_draw(sampler: str) -> None:
    first = sample(minimal_spec(PLAIN), 50, sampler=sampler)
    more = [uncertain("new", "beta", 0.5, se=0.1), *reversed(PLAIN), *SHARES]
    second = sample(minimal_spec(more), 50, sampler=sampler)
    for parameter in PLAIN:
        assert same(first.values[parameter.id], second.values[parameter.id])


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube"])
def test_group_order_changes_no_draw(sampler: str) -> None:
    pairs = (pair("g", "c", "p", 0.5), pair("g", "u", "c", -0.3))
    turned = (pair("g", "c", "u", -0.3), pair("g", "p", "c", 0.5))
    joint = [*normals("m1", "m2", se=1.0), *SHARES]
    cells = (pair("m", "m1", "m2", 0.4),)
    first = sample(minimal_spec([*PLAIN, *joint], correlations=pairs + cells), 50, sampler=sampler)
    second = sample(
        minimal_spec([*reversed(joint), *reversed(PLAIN)], correlations=cells + turned),
        50,
        sampler=sampler,
    )
    for name, values in first.values.items():
        assert same(values, second.values[name])


def test_draws_are_the_quantiles_of_the_stream() -> None:
    spec = minimal_spec(PLAIN)
    streams = Streams(5, 20, "random", 0, [])
    wanted = special.betaincinv(18.5, 55.5, streams.uniform("p"))
    np.testing.assert_allclose(sample(spec, 20, seed=5).values["p"], wanted, rtol=1e-13)


def test_streams_never_change() -> None:
    """Uniform numbers of one id, so that a seed means the same draws in every version."""
    numbers = Streams(1, 3, "random", 0, []).uniform("orr")
    assert numbers.tolist() == [0.45773758649501606, 0.8427847248953922, 0.7956844670603741]


def test_streams_differ_by_seed_id_and_replicate() -> None:
    seen = {
        Streams(seed, 4, sampler, replicate, ["a", "b"]).uniform(name).tobytes()
        for sampler in SAMPLERS
        for seed in (0, 1)
        for replicate in (0, 1)
        for name in ("a", "b")
    }
    assert len(seen) == 24


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_more_draws_keep_the_first(sampler: str) -> None:
    spec = minimal_spec(
        [*PLAIN, *SHARES, *normals("m1", "m2", se=1.0)],
        correlations=(pair("g", "p", "c", 0.5), pair("m", "m1", "m2", 0.4)),
    )
    few, many = (sample(spec, n, sampler=sampler) for n in (37, 1000))
    for name in few.values:
        assert same(few.values[name], many.values[name][:37])


def test_streams_are_independent() -> None:
    n = 20_000
    names = [f"x{i}" for i in range(12)]
    u = np.array([Streams(1, n, "random", 0, []).uniform(name) for name in names])
    correlation = np.corrcoef(u)[np.triu_indices(len(names), 1)]
    assert np.abs(correlation).max() < 4.5 / math.sqrt(n)
    assert min(stats.kstest(row, "uniform").pvalue for row in u) > 1e-4
    assert u.min() > 0.0
    assert u.max() < 1.0


def test_defaults_come_from_the_settings() -> None:
    spec = minimal_spec(PLAIN, options={"psa_seed": 9, "psa_sampler": "latin_hypercube"})
    wanted = sample(spec, 10, seed=9, sampler="latin_hypercube")
    assert same(sample(spec, 10).values["p"], wanted.values["p"])
    assert not same(sample(spec, 10, seed=1).values["p"], wanted.values["p"])


# --- samplers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_latin_hypercube_has_one_number_in_each_stratum(n: int) -> None:
    streams = Streams(3, n, "latin_hypercube", 0, [])
    strata = [np.floor(streams.uniform(name) * n).astype(int) for name in ("a", "b")]
    for stratum in strata:
        assert sorted(stratum.tolist()) == list(range(n))
    if n == 1000:
        assert not same(*strata)
        assert abs(np.corrcoef(strata)[0, 1]) < 0.15


def test_latin_hypercube_stays_one_when_mixed() -> None:
    n = 500
    spec = minimal_spec(
        [uncertain("a", "uniform", 0.5, a=0.0, b=1.0), uncertain("b", "uniform", 0.5, a=0, b=1)],
        correlations=(pair("g", "a", "b", 0.7),),
    )
    draws = sample(spec, n, sampler="latin_hypercube")
    for name in ("a", "b"):
        assert sorted(np.floor(draws.values[name] * n).tolist()) == list(range(n))
    found = stats.spearmanr(draws.values["a"], draws.values["b"]).statistic
    assert found == pytest.approx(0.7, abs=0.06)


def test_sobol_is_one_joint_sequence() -> None:
    names = [f"x{i}" for i in range(5)]
    spec = minimal_spec([uncertain(name, "uniform", 0.5, a=0.0, b=1.0) for name in names])
    draws = sample(spec, 256, sampler="sobol")
    points = np.array([draws.values[name] for name in names]).T
    assert points.min() > 0.0
    assert points.max() < 1.0
    # Middles of 2**30 cells, so that no point lies on 0.
    assert same(points * 2.0**30 % 1.0, np.full_like(points, 0.5))
    for column in points.T:
        assert sorted(np.floor(column * 256).tolist()) == list(range(256))
    # 16 x 16 boxes of the first two dimensions hold one point each: independent columns do not.
    boxes = {(int(x * 16), int(y * 16)) for x, y in points[:, :2]}
    assert len(boxes) == 256
    reordered = sample(replace(spec, parameters=dict(reversed(spec.parameters.items()))), 256,
                       sampler="sobol")  # fmt: skip
    assert same(reordered.values["x4"], draws.values["x0"])


@pytest.mark.parametrize("n", [1, 3, 100])
def test_sobol_takes_any_n(n: int) -> None:
    spec = minimal_spec([*PLAIN, *SHARES])
    assert len(sample(spec, n, sampler="sobol")) == n
    assert len(sample(minimal_spec([fixed("x", 1.0)]), n, sampler="sobol")) == n


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_moments(sampler: str) -> None:
    n = 4000
    draws = sample(minimal_spec(PLAIN), n, sampler=sampler)
    for parameter in PLAIN:
        if parameter.distribution is None:
            continue
        values = draws.values[parameter.id]
        error = parameter.distribution.sd / math.sqrt(n)
        close = 4.5 if sampler == "random" else 0.2
        assert abs(values.mean() - parameter.distribution.mean) < close * error
        assert values.std() == pytest.approx(parameter.distribution.sd, rel=0.08)
    assert same(draws.values["price"], np.full(n, 5.0))


def test_derived_in_every_draw() -> None:
    spec = minimal_spec([derived("y", "x^2+c"), derived("x", "p*2"), *PLAIN])
    draws = sample(spec, 25)
    assert list(draws.values) == list(spec.parameters)
    assert same(draws.values["x"], draws.values["p"] * 2)
    assert same(draws.values["y"], np.power(draws.values["x"], 2.0) + draws.values["c"])


def test_derive_replaces_stale_values() -> None:
    spec = minimal_spec([fixed("a", 1.0), derived("b", "a+1")])
    values = derive(spec, {"b": np.array([9.0, 9.0]), "a": np.array([1.0, 2.0])})
    assert list(values) == ["a", "b"]
    assert values["b"].tolist() == [2.0, 3.0]


# --- rank correlations ------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_rank_correlation_reaches_its_target(sampler: str) -> None:
    n = 40_000
    spec = minimal_spec(PLAIN, correlations=(pair("g", "p", "c", 0.6), pair("g", "u", "c", -0.4)))
    values = sample(spec, n, sampler=sampler).values
    for first, second, wanted in (("p", "c", 0.6), ("u", "c", -0.4), ("p", "u", 0.0),
                                  ("p", "rr", 0.0)):  # fmt: skip
        found = stats.spearmanr(values[first], values[second]).statistic
        assert found == pytest.approx(wanted, abs=4 / math.sqrt(n))
    for name in ("p", "c", "u"):
        distribution = spec.parameters[name].distribution
        assert distribution is not None
        assert values[name].mean() == pytest.approx(distribution.mean, rel=0.01)
        assert values[name].std() == pytest.approx(distribution.sd, rel=0.02)


@pytest.mark.parametrize("sampler", ["random", "latin_hypercube"])
def test_a_correlation_of_zero_changes_nothing(sampler: str) -> None:
    alone = sample(minimal_spec(PLAIN), 30, sampler=sampler)
    tied = sample(
        minimal_spec(PLAIN, correlations=(pair("g", "p", "c", 0.0),)), 30, sampler=sampler
    )
    for name in alone.values:
        assert same(alone.values[name], tied.values[name])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_fixing_a_member_leaves_the_others_draws(sampler: str) -> None:
    pairs = (pair("g", "p", "c", 0.6), pair("g", "u", "c", -0.4))
    free = sample(minimal_spec(PLAIN, correlations=pairs), 30, sampler=sampler)
    held = [fixed("c", 900.0) if p.id == "c" else p for p in PLAIN]
    bound = sample(minimal_spec(held, correlations=pairs), 30, sampler=sampler)
    assert set(bound.values["c"].tolist()) == {900.0}
    if sampler != "sobol":
        assert same(free.values["u"], bound.values["u"])
        assert same(free.values["p"], bound.values["p"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("g", "p", "c", 1.5)], "a rank correlation must lie between -1 and 1, found 1.5"),
        ([("g", "p", "c", 1.0)], "the correlations of group 'g' contradict each other at 'c' and"),
        ([("g", "p", "x", 0.5)], "unknown parameter 'x'"),
        ([("g", "p", "c", math.nan)], "a finite number is needed"),
        ([("g", "p", "p", 0.5)], "with itself is 1, found 0.5"),
        ([("g", "p", "c", 0.5), ("g", "c", "p", 0.4)], "stands twice with different values"),
        ([("g", "p", "c", 0.5), ("h", "p", "u", 0.4)], "'p' stands in two correlation groups"),
        ([("g", "p", "total", 0.5)], "'total' is derived; correlate the parameters of its"),
        ([("g", "p", "s1", 0.5)], "'s1' is dirichlet, drawn jointly already"),
        (
            [("g", "p", "c", 0.9), ("g", "c", "rr", 0.9), ("g", "p", "rr", -0.9)],
            "the correlations of group 'g' contradict each other at 'c' and 'rr'",
        ),
    ],
)
def test_wrong_rank_correlations(
    pairs: Sequence[tuple[str, str, str, float]], message: str
) -> None:
    spec = minimal_spec([*PLAIN, *SHARES], correlations=tuple(pair(*row) for row in pairs))
    assert message in messages(spec)


def test_a_pair_may_stand_in_both_orders() -> None:
    once = (pair("g", "p", "c", 0.5),)
    twice = (*once, pair("g", "c", "p", 0.5), pair("g", "c", "c", 1.0))
    first, second = (sample(minimal_spec(PLAIN, correlations=c), 9) for c in (once, twice))
    assert same(first.values["c"], second.values["c"])


def test_cholesky() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(6, 9))
    matrix = np.corrcoef(scores)
    factor = cholesky(matrix)
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), rtol=0, atol=1e-13)
    with pytest.raises(NotPositiveDefiniteError) as caught:
        cholesky(np.array([[1.0, 0.2, 0.0], [0.2, 1.0, -1.2], [0.0, -1.2, 1.0]]))
    assert (caught.value.row, caught.value.column) == (2, 1)


# --- multivariate normal, shares, empirical ---------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_multivariate_normal_covariance(sampler: str) -> None:
    n = 60_000
    wanted = np.array([[4.0, 1.5, 0.0], [1.5, 1.0, -0.3], [0.0, -0.3, 0.25]])
    ids = ("mu", "eta", "beta")
    members = [
        uncertain("mu", "multivariate_normal", 10.0, low=None, high=None, correlation_group="m"),
        uncertain("eta", "multivariate_normal", -2.0, se=1.0, correlation_group="m"),
        uncertain("beta", "multivariate_normal", 0.5, se=0.5, correlation_group="m"),
    ]
    cells = (
        pair("m", "mu", "mu", 4.0), pair("m", "mu", "eta", 1.5), pair("m", "beta", "eta", -0.3),
    )  # fmt: skip
    draws = sample(minimal_spec(members, correlations=cells), n, sampler=sampler)
    values = np.array([draws.values[name] for name in ids])
    np.testing.assert_allclose(values.mean(axis=1), [10.0, -2.0, 0.5], atol=4 * 2 / math.sqrt(n))
    np.testing.assert_allclose(np.cov(values), wanted, atol=4 * 6 / math.sqrt(n))
    assert min(stats.kstest((v - v.mean()) / v.std(), "norm").pvalue for v in values) > 1e-3


def test_multivariate_normal_alone_is_its_se() -> None:
    spec = minimal_spec(normals("m1", "m2", se=0.3))
    values = sample(spec, 5000).values
    assert values["m1"].std() == pytest.approx(0.3, rel=0.05)
    assert abs(np.corrcoef(values["m1"], values["m2"])[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("members", "cells", "message"),
    [
        (normals("m1", "m2"), [("m1", "m2", 0.5)], "'m1' has no variance: give its se"),
        (normals("m1", "m2", se=1.0), [("m1", "m2", 1.5)], "the covariances of group 'm'"),
        (normals("m1", "m2", se=1.0), [("m1", "m1", 4.0)], "se is 1, but the covariance table "
         "gives 2"),
        (normals("m1", "m2", se=1.0), [("m1", "m1", -1.0)], "a variance must be above 0, found -1"),
        ([*normals("m1", se=1.0), *PLAIN], [("m1", "p", 0.1)], "'p' is beta, but other members"),
        (
            [uncertain("m1", "multivariate_normal", 1.0, se=1.0)], [],
            "needs the name of its group in correlation_group",
        ),
    ],
)  # fmt: skip
def test_wrong_covariances(
    members: Sequence[Parameter], cells: Sequence[tuple[str, str, float]], message: str
) -> None:
    spec = minimal_spec(members, correlations=tuple(pair("m", *cell) for cell in cells))
    assert message in messages(spec)


def test_a_fixed_member_without_variance_leaves_its_normal_group() -> None:
    members = [*normals("m1", "m3", se=1.0), fixed("m2", 7.0, correlation_group="m")]
    cells = (pair("m", "m1", "m2", 0.5), pair("m", "m1", "m3", 0.8))
    values = sample(minimal_spec(members, correlations=cells), 5000).values
    assert set(values["m2"].tolist()) == {7.0}
    assert np.corrcoef(values["m1"], values["m3"])[0, 1] == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_dirichlet_shares(sampler: str) -> None:
    n = 20_000
    values = sample(minimal_spec(SHARES), n, sampler=sampler).values
    shares = np.array([values[name] for name in ("s1", "s2", "s3")])
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, rtol=0, atol=5e-16)
    alphas = np.array([10.0, 6.0, 4.0])
    wanted = stats.dirichlet(alphas)
    np.testing.assert_allclose(shares.mean(axis=1), wanted.mean(), atol=0.004)
    np.testing.assert_allclose(np.cov(shares), wanted.cov(), atol=0.0006)
    assert min(
        stats.kstest(share, stats.beta(a, 20 - a).cdf).pvalue
        for share, a in zip(shares, alphas, strict=True)
    ) > 1e-3  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (SHARES[:2], "the values of the shares 's' sum to 0.8, not 1"),
        ([uncertain("s1", "dirichlet", 0.99, a=10.0, correlation_group="s")], "has one row"),
        ([uncertain("s1", "dirichlet", 0.99, a=10.0)], "needs the name of its set of shares"),
        (
            [
                uncertain("s1", "dirichlet", 0.5, a=30.0, correlation_group="s"),
                uncertain("s2", "dirichlet", 0.5, a=10.0, correlation_group="s"),
            ],
            "standard deviations from the mean 0.75 of its dirichlet",
        ),
    ],
)
def test_wrong_shares(shares: Sequence[Parameter], message: str) -> None:
    assert message in messages(minimal_spec(shares))


def empirical_spec(rows: int) -> Spec:
    columns = {"e1": np.arange(rows) * 1.0, "e2": np.arange(rows) * -2.0}
    members = [
        uncertain(name, make_empirical(column), float(column.mean()), low=None, high=None)
        for name, column in columns.items()
    ]
    return minimal_spec([*members, *PLAIN], empirical=columns)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_empirical_draw_i_is_row_i(sampler: str) -> None:
    draws = sample(empirical_spec(20), 8, sampler=sampler)
    assert draws.values["e1"].tolist() == list(range(8))
    assert draws.values["e2"].tolist() == [-2.0 * i for i in range(8)]
    later = sample(empirical_spec(20), 8, sampler=sampler, replicate=1, start=8)
    assert later.values["e1"].tolist() == list(range(8, 16))


def test_empirical_with_too_few_rows() -> None:
    with pytest.raises(HeorError, match="21 draws were asked for, but the table draws has 20 rows"):
        sample(empirical_spec(20), 21)
    with pytest.raises(HeorError, match="25 draws were asked for"):
        sample(empirical_spec(20), 5, start=20)


def test_empirical_without_its_column() -> None:
    spec = replace(empirical_spec(20), empirical={"e1": np.arange(20.0)})
    assert "the table draws has no column 'e2'" in messages(spec)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "the number of draws must be 1 or more, found 0"),
        ({"seed": -1}, "the seed must be 0 or more, found -1"),
        ({"replicate": -1}, "the replicate must be 0 or more, found -1"),
        ({"start": -1}, "the first row must be 0 or more, found -1"),
        ({"sampler": "halton"}, "unknown sampler 'halton'; allowed are random, latin_hypercube"),
    ],
)
def test_senseless_requests(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HeorError, match=message):
        sample(minimal_spec(PLAIN), **{"n": 5, **options})


def test_nothing_to_draw() -> None:
    with pytest.raises(HeorError, match="no parameters, so there is nothing to draw"):
        sample(minimal_spec(), 5)


def test_a_derived_value_that_is_not_finite_names_draw_and_values() -> None:
    spec = minimal_spec([fixed("a", 2.0), derived("b", "ln(a-2)")])
    with pytest.raises(
        ModelError, match=r"^parameter 'b' is not a finite number \(-inf\): ln\(a-2\) with a = 2$"
    ):
        base(spec)
    wide = minimal_spec([uncertain("a", "normal", 2.0, se=1.0), derived("b", "ln(a-1)")])
    draws = sample(replace(wide, parameters={"a": wide.parameters["a"]}), 100).values["a"]
    first = int(np.argmax(draws <= 1.0)) + 1
    with pytest.raises(ModelError, match=rf"'b' is not a finite number \(nan\) in draw {first}: "):
        sample(wide, 100)


def test_a_drawn_value_that_is_not_finite_names_its_distribution() -> None:
    spec = minimal_spec([uncertain("a", "lognormal", 1.0, a=0.0, b=500.0, low=0.0, high=1.0)])
    with pytest.raises(ModelError, match=r"'a' is not a finite .* from lognormal\(meanlog=0"):
        sample(spec, 100)
