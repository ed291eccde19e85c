"""Distributions against scipy.stats, and what cells may define them (methods 7.1)."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from heor.spec.distributions import (
    DISTRIBUTIONS,
    Distribution,
    DistributionError,
    agreement,
    make,
    make_dirichlet,
    make_empirical,
)

U = np.array([1e-12, 1e-6, 0.001, 0.025, 0.2, 0.5, 0.75, 0.975, 0.999, 1 - 1e-9])

#: Distribution and the same in scipy.stats.
PAIRS = [
    (make("normal", value=3.0, a=3.0, b=2.0), stats.norm(3.0, 2.0)),
    (make("lognormal", value=1.0, a=0.5, b=0.8), stats.lognorm(0.8, scale=math.exp(0.5))),
    (make("beta", value=0.2, a=10, b=29), stats.beta(10, 29)),
    (make("beta", value=0.2, a=0.4, b=0.9), stats.beta(0.4, 0.9)),
    (make("gamma", value=6.0, a=4.0, b=1.5), stats.gamma(4.0, scale=1.5)),
    (make("gamma", value=0.6, a=0.3, b=2.0), stats.gamma(0.3, scale=2.0)),
    (make("uniform", value=2.0, a=-1.0, b=5.0), stats.uniform(-1.0, 6.0)),
    (make("triangular", value=2.0, a=-1.0, b=5.0), stats.triang(0.5, -1.0, 6.0)),
    (make("triangular", value=-1.0, a=-1.0, b=5.0), stats.triang(0.0, -1.0, 6.0)),
    (make("triangular", value=5.0, a=-1.0, b=5.0), stats.triang(1.0, -1.0, 6.0)),
    (make("pert", value=2.0, a=1.0, b=6.0), stats.beta(1.8, 4.2, 1.0, 5.0)),
    (make("pert", value=1.0, a=1.0, b=6.0), stats.beta(1.0, 5.0, 1.0, 5.0)),
    (make_dirichlet(10.0, 39.0), stats.beta(10, 29)),
    (make("multivariate_normal", value=3.0, se=2.0), stats.norm(3.0, 2.0)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[d.describe() for d, _ in PAIRS])
def test_quantiles_and_moments(ours: Distribution, theirs: Any) -> None:
    np.testing.assert_allclose(ours.ppf(U), theirs.ppf(U), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(theirs.cdf(ours.ppf(U[2:-1])), U[2:-1], rtol=1e-12)
    assert ours.mean == pytest.approx(theirs.mean(), rel=1e-14)
    assert ours.sd == pytest.approx(theirs.std(), rel=1e-13)
    assert ours.median == pytest.approx(theirs.median(), rel=1e-12, abs=1e-15)
    assert ours.quantile(0.025) == pytest.approx(theirs.ppf(0.025), rel=1e-11, abs=1e-15)


def test_pairs_cover_the_registry() -> None:
    assert {d.name for d, _ in PAIRS} | {"fixed", "empirical"} == set(DISTRIBUTIONS)


def test_ppf_keeps_shape() -> None:
    for distribution, _ in PAIRS:
        assert distribution.ppf(np.full((2, 3), 0.4)).shape == (2, 3)
    assert make("fixed", value=2.0).ppf(np.full((2, 3), 0.4)).tolist() == [[2.0] * 3] * 2


def test_a_draw_never_depends_on_its_neighbours() -> None:
    u = np.random.default_rng(1).uniform(size=500)
    for distribution, _ in PAIRS:
        whole = distribution.ppf(u)
        for length in (1, 7, 64):
            parts = [distribution.ppf(u[i : i + length]) for i in range(0, 500, length)]
            assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("name", "value", "se", "parameters"),
    [
        ("normal", 3.0, 2.0, (3.0, 2.0)),
        ("normal", -3.0, 2.0, (-3.0, 2.0)),
        ("beta", 0.25, 0.05, (18.5, 55.5)),
        ("gamma", 1000.0, 200.0, (25.0, 40.0)),
        ("lognormal", 2.0, 0.5, (math.log(2) - math.log(1.0625) / 2, math.log(1.0625) ** 0.5)),
    ],
)
def test_from_mean_and_se(
    name: str, value: float, se: float, parameters: tuple[float, ...]
) -> None:
    made = make(name, value=value, se=se)
    assert made.parameters == pytest.approx(parameters, rel=1e-14)
    assert made.mean == pytest.approx(value, rel=1e-13)
    assert made.sd == pytest.approx(se, rel=1e-13)


def test_a_and_b_win_over_se_and_interval() -> None:
    for name in ("normal", "lognormal", "beta", "gamma"):
        made = make(name, value=0.3, se=0.01, a=3.0, b=7.0, low=0.1, high=0.9)
        assert made.parameters == (3.0, 7.0)


def test_lognormal_of_median_and_interval() -> None:
    made = make("lognormal", value=2.0, low=1.0, high=4.5)
    assert made.parameters == pytest.approx((math.log(2.0), math.log(4.5) / 3.92), rel=1e-15)
    assert made.median == pytest.approx(2.0, rel=1e-15)


def test_lognormal_se_goes_before_the_interval() -> None:
    made = make("lognormal", value=2.0, se=0.5, low=1.0, high=4.5)
    assert made == make("lognormal", value=2.0, se=0.5)


@pytest.mark.parametrize("name", ["uniform", "triangular", "pert"])
def test_ranges_from_a_b_or_low_high(name: str) -> None:
    by_interval = make(name, value=2.0, low=1.0, high=4.0)
    assert by_interval == make(name, value=2.0, a=1.0, b=4.0)
    assert make(name, value=2.0, a=1.0, b=4.0, low=0.0, high=9.0) == by_interval
    assert by_interval.ppf(np.array([0.0, 1.0])).tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("name", "cells", "field", "message"),
    [
        ("beta", {"value": 0.6, "se": 0.62}, "se", "standard error 0.62 is too large for a beta "
         "with mean 0.6; it must be below 0.49"),
        ("beta", {"value": 1.2, "se": 0.1}, "value", "between 0 and 1, found 1.2"),
        ("beta", {"value": 0.0, "se": 0.1}, "value", "between 0 and 1, found 0"),
        ("beta", {"value": 0.2, "se": 0.0}, "se", "must be above 0, found 0"),
        ("beta", {"value": 0.2, "a": 0.0, "b": 3.0}, "a", "a (alpha) of a beta must be above 0"),
        ("beta", {"value": 0.2, "a": 1.0, "b": -3.0}, "b", "b (beta) of a beta must be above 0"),
        ("beta", {"value": 0.2, "a": 1.0}, "b", "b (beta) is missing beside a (alpha) of a beta"),
        ("beta", {"value": 0.2, "b": 1.0}, "a", "a (alpha) is missing beside b (beta) of a beta"),
        ("beta", {"value": 0.2, "low": 0.1, "high": 0.3}, "se", "a beta needs a (alpha) and b"),
        ("normal", {"value": 1.0}, "se", "a normal needs a (mean) and b (sd), or se"),
        ("normal", {"value": 1.0, "se": -1.0}, "se", "must be above 0, found -1"),
        ("normal", {"value": 1.0, "a": -1.0, "b": 0.0}, "b", "b (sd) of a normal must be above 0"),
        ("gamma", {"value": -5.0, "se": 1.0}, "value", "the mean of a gamma must be above 0"),
        ("gamma", {"value": 5.0, "a": 0.0, "b": 1.0}, "a", "a (shape) of a gamma"),
        ("lognormal", {"value": 0.0, "se": 1.0}, "value", "the mean of a lognormal must be above"),
        ("lognormal", {"value": 1.0}, "se", "or a 95% interval in low and high"),
        ("lognormal", {"value": 1.0, "low": 0.5}, "high", "high is missing beside low"),
        ("lognormal", {"value": 1.0, "high": 2.0}, "low", "low is missing beside high"),
        ("lognormal", {"value": 1.0, "low": 0.0, "high": 2.0}, "low", "must be above 0, found 0"),
        ("lognormal", {"value": 1.0, "low": 2.0, "high": 2.0}, "high", "must be above low (2)"),
        ("lognormal", {"value": 9.0, "low": 1.0, "high": 2.0}, "value", "1 to 2, found 9"),
        ("lognormal", {"value": 1.0, "a": 0.0, "b": 0.0}, "b", "b (sdlog) of a lognormal"),
        ("uniform", {"value": 1.0}, "low", "a uniform needs a (min) and b (max), or low and high"),
        ("uniform", {"value": 1.0, "low": 0.0}, "high", "or low and high"),
        ("uniform", {"value": 1.0, "se": 0.5}, "low", "or low and high"),
        ("pert", {"value": 1.0, "a": 3.0, "b": 2.0}, "b", "b must be above a (3), found 2"),
        ("pert", {"value": 1.0, "low": 3.0, "high": 3.0}, "high", "high must be above low (3)"),
        ("triangular", {"value": 5.0, "a": 1.0, "b": 2.0}, "value", "1 to 2, found 5"),
        ("dirichlet", {"value": 0.2}, "a", "a dirichlet needs a (alpha of this share)"),
        ("dirichlet", {"value": 0.2, "a": 0.0}, "a", "must be above 0, found 0"),
        ("dirichlet", {"value": 0.2, "a": 2.0, "b": 1.0}, "b", "takes a alone"),
        ("dirichlet", {"value": 1.0, "a": 2.0}, "value", "between 0 and 1, found 1"),
        ("multivariate_normal", {"value": 1.0, "a": 1.0}, "a", "leave a empty"),
        ("multivariate_normal", {"value": 1.0, "se": 0.0}, "se", "must be above 0, found 0"),
        ("normal", {"value": math.nan, "se": 1.0}, "value", "a finite number is needed"),
        ("normal", {"value": 1.0, "se": math.inf}, "se", "a finite number is needed, found inf"),
        ("Beta", {"value": 1.0}, "distribution", "unknown distribution 'Beta'; allowed are fixed"),
        ("log-normal", {"value": 1.0}, "distribution", "did you mean lognormal?"),
    ],
)  # fmt: skip
def test_refused(name: str, cells: dict[str, float], field: str, message: str) -> None:
    with pytest.raises(DistributionError) as caught:
        make(name, **cells)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.field == field


def test_beta_se_just_below_the_limit() -> None:
    limit = math.sqrt(0.6 * 0.4)
    assert make("beta", value=0.6, se=0.999 * limit).mean == pytest.approx(0.6, rel=1e-12)
    with pytest.raises(DistributionError):
        make("beta", value=0.6, se=limit)


def test_dirichlet_share_is_the_groups_beta() -> None:
    assert make("dirichlet", value=0.25, a=10.0).parameters == pytest.approx((10.0, 30.0))
    share = make_dirichlet(10.0, 39.0)
    assert share.parameters == (10.0, 29.0)
    with pytest.raises(DistributionError, match="must sum to more than 10"):
        make_dirichlet(10.0, 10.0)


def test_multivariate_normal_without_se_awaits_its_covariance() -> None:
    made = make("multivariate_normal", value=3.0)
    assert made.mean == 3.0
    assert math.isnan(made.sd)
    assert agreement(made, 3.0) is None


def test_empirical() -> None:
    values = np.array([3.0, 1.0, 2.0, 10.0])
    made = make_empirical(values)
    assert made.parameters == (1.0, 2.0, 3.0, 10.0)
    assert made.mean == 4.0
    assert made.sd == pytest.approx(values.std(ddof=1), rel=1e-15)
    np.testing.assert_allclose(made.ppf(U), np.quantile(values, U), rtol=1e-14)
    assert made.median == 2.5
    assert made.describe() == "empirical(4 draws)"
    with pytest.raises(DistributionError, match="no rows"):
        make_empirical([])
    with pytest.raises(DistributionError, match="not a finite number"):
        make_empirical([1.0, math.nan])


def test_empirical_before_its_draws_are_known() -> None:
    made = make("empirical", value=3.0)
    assert made.describe() == "empirical"
    assert math.isnan(made.mean)
    with pytest.raises(DistributionError, match="not known yet"):
        made.quantile(0.5)


@pytest.mark.parametrize(
    ("distribution", "value", "distance"),
    [
        (make("normal", value=0, a=10, b=2), 11.0, 0.5),
        (make("beta", value=0, a=10, b=30), 0.25, 0.0),
        (make("fixed", value=1.0), 1.0, None),
        (make("triangular", value=2, a=1, b=9), 2.0, None),
        (make("pert", value=2, a=1, b=9), 2.0, None),
        (make("lognormal", value=2.0, se=2.0), 2.0, 0.0),
        (make("lognormal", value=2.0, low=1.0, high=8.0), 2.0, 0.0),
    ],
)
def test_agreement(distribution: Distribution, value: float, distance: float | None) -> None:
    found = agreement(distribution, value)
    assert found == (None if distance is None else pytest.approx(distance, abs=1e-14))


def test_agreement_of_a_lognormal_takes_the_nearer_centre() -> None:
    made = make("lognormal", value=1.0, a=0.0, b=1.0)
    below, above = 1.0 - 0.1, made.mean + 0.2
    assert agreement(made, below) == pytest.approx(0.1 / made.sd)
    assert agreement(made, above) == pytest.approx(0.2 / made.sd)


def test_describe_and_joint() -> None:
    assert make("beta", value=0.2, a=10, b=29).describe() == "beta(alpha=10, beta=29)"
    assert make("gamma", value=0.2, a=4, b=1.23456789).describe() == "gamma(shape=4, scale=1.23457)"
    assert make("pert", value=2, a=1, b=6).describe() == "pert(min=1, max=6, mode=2)"
    joint = {entry.name for entry in DISTRIBUTIONS.values() if entry.joint}
    assert joint == {"multivariate_normal", "dirichlet", "empirical"}
    assert make_dirichlet(1, 2).joint
    assert not make("normal", value=0, se=1).joint


def test_pickle() -> None:
    made = make("pert", value=2, a=1, b=6)
    assert pickle.loads(pickle.dumps(made)) == made
    error = pickle.loads(pickle.dumps(DistributionError("text", "se")))
    assert (str(error), error.field) == ("text", "se")


def test_scipy_stats_is_not_imported() -> None:
    code = "import sys, heor.spec.draws; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
