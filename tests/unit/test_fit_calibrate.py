"""Calibration against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from heor.engine.survival import CURVES
from heor.errors import HeorError
from heor.fitting.calibrate import Constraint, calibrate, check
from heor.fitting.models import FITTED, Model

Z = 2 * 1.959963984540054


def model(name: str) -> Model:
    return Model(family=CURVES[name])


def loglog(share):
    return math.log(-math.log(share))


def test_exponential_through_a_median():
    one = Constraint(share=0.5, time=12.3, low=10.1, high=14.2, of_time=True)
    found = calibrate(model("exponential"), [one])
    assert found.exact
    assert math.exp(found.theta[0]) == pytest.approx(math.log(2) / 12.3, rel=1e-12)
    se = math.log(14.2 / 10.1) / Z
    assert found.covariance[0, 0] == pytest.approx(se**2, rel=1e-9)


def test_exponential_by_least_squares_is_a_weighted_mean():
    """ln rate is the mean of ln(-ln S) - ln t, by inverse variance."""
    numbers = [(6.0, 0.7, 0.6, 0.8), (12.0, 0.45, 0.35, 0.55), (24.0, 0.3, 0.2, 0.4)]
    constraints = [Constraint(share=s, time=t, low=a, high=b) for t, s, a, b in numbers]
    found = calibrate(model("exponential"), constraints)
    logs = np.array([loglog(s) - math.log(t) for t, s, _, _ in numbers])
    weights = np.array([(Z / (loglog(a) - loglog(b))) ** 2 for _, _, a, b in numbers])
    assert not found.exact
    assert found.theta[0] == pytest.approx(weights @ logs / weights.sum(), rel=1e-9)
    assert found.covariance[0, 0] == pytest.approx(1 / weights.sum(), rel=1e-8)
    plain = calibrate(model("exponential"), [Constraint(share=s, time=t) for t, s, _, _ in numbers])
    assert plain.theta[0] == pytest.approx(logs.mean(), rel=1e-9)
    assert plain.covariance is None


def test_weibull_through_two_shares():
    a = Constraint(share=0.6, time=6.0, low=0.5, high=0.7)
    b = Constraint(share=0.15, time=24.0, low=0.08, high=0.25)
    found = calibrate(model("weibull"), [a, b])
    shape = (loglog(0.15) - loglog(0.6)) / math.log(24 / 6)
    scale = 6 / (-math.log(0.6)) ** (1 / shape)
    assert found.exact
    np.testing.assert_allclose(np.exp(found.theta), [shape, scale], rtol=1e-11)
    # y_i = shape (ln t_i - ln scale): the exact Jacobian of y in ln shape and ln scale
    logs = np.log([6.0, 24.0]) - math.log(scale)
    jacobian = np.column_stack([shape * logs, [-shape, -shape]])
    inverse = np.linalg.inv(jacobian)
    variances = np.diag([a.error**2, b.error**2])
    np.testing.assert_allclose(found.covariance, inverse @ variances @ inverse.T, rtol=1e-8)


def test_lognormal_through_a_median_and_a_share():
    median = Constraint(share=0.5, time=12.3, of_time=True)
    found = calibrate(model("lognormal"), [median, Constraint(share=0.28, time=20.0)])
    meanlog, sdlog = math.log(12.3), math.log(20 / 12.3) / stats.norm.isf(0.28)
    assert found.exact
    assert found.theta[0] == pytest.approx(meanlog, rel=1e-12)
    assert math.exp(found.theta[1]) == pytest.approx(sdlog, rel=1e-11)
    np.testing.assert_allclose(found.reached, [12.3, 0.28], rtol=1e-10)


def test_loglogistic_through_two_shares():
    found = calibrate(
        model("loglogistic"), [Constraint(share=0.8, time=3), Constraint(share=0.2, time=15)]
    )
    shape = (math.log(0.8 / 0.2) - math.log(0.2 / 0.8)) / math.log(15 / 3)
    scale = 3 * (0.8 / 0.2) ** (1 / shape)
    np.testing.assert_allclose(np.exp(found.theta), [shape, scale], rtol=1e-10)


@pytest.mark.parametrize("name", FITTED)
def test_as_many_numbers_as_parameters_are_met(name):
    times = [3.0, 8.0, 20.0, 60.0][: len(model(name).names)]
    shares = [0.85, 0.6, 0.3, 0.1][: len(times)]
    found = calibrate(
        model(name), [Constraint(share=s, time=t) for t, s in zip(times, shares, strict=True)]
    )
    assert found.exact
    np.testing.assert_allclose(found.survival(np.array(times)), shares, rtol=1e-8)


@pytest.mark.parametrize("name", ["weibull", "gompertz", "gamma", "lognormal", "loglogistic"])
def test_the_time_unit_changes_nothing(name):
    def constraints(unit):
        return [
            Constraint(share=0.5, time=12.3 / unit, low=10 / unit, high=15 / unit, of_time=True),
            Constraint(share=0.28, time=24.0 / unit, low=0.2, high=0.37),
            Constraint(share=0.8, time=5.0 / unit, low=0.7, high=0.88),
        ]

    months, years = calibrate(model(name), constraints(1)), calibrate(model(name), constraints(12))
    at = np.array([1.0, 12.0, 60.0])
    np.testing.assert_allclose(months.survival(at), years.survival(at / 12), rtol=1e-7)
    matrix, shift = months.model.to_unit(12.0)
    np.testing.assert_allclose(matrix @ years.theta + shift, months.theta, rtol=1e-6)
    np.testing.assert_allclose(matrix @ years.covariance @ matrix.T, months.covariance, rtol=1e-5)


def test_delta_method_agrees_with_sampling_of_the_intervals():
    """Draws of the published numbers, each solved exactly, have the stated covariance."""
    a = Constraint(share=0.6, time=6.0, low=0.595, high=0.605)
    b = Constraint(share=0.5, time=9.0, low=8.95, high=9.05, of_time=True)
    found = calibrate(model("weibull"), [a, b])
    rng = np.random.default_rng(2)
    y = loglog(0.6) + a.error * rng.normal(size=40_000)
    median = np.exp(math.log(9.0) + b.error * rng.normal(size=40_000))
    shape = (math.log(math.log(2)) - y) / np.log(median / 6.0)
    scale = median / math.log(2) ** (1 / shape)
    drawn = np.cov(np.log(shape), np.log(scale))
    spread = np.sqrt(np.diag(found.covariance))
    assert np.abs((drawn - found.covariance) / np.outer(spread, spread)).max() < 0.03


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ([Constraint(share=1.2, time=6)], "survival must be between 0 and 1, found 1.2"),
        ([Constraint(share=0.5, time=-1)], "the time must be above 0, found -1"),
        ([Constraint(share=0.5, time=6, low=0.4)], "an interval needs both ends"),
        ([Constraint(share=0.5, time=6, low=0.6, high=0.7)], "0.5 is not inside its interval"),
        ([Constraint(share=0.5, time=6, low=0.0, high=0.7)], "the interval must lie inside 0 to 1"),
        (
            [Constraint(share=0.5, time=6, low=-1.0, high=7.0, of_time=True)],
            "the interval must be above 0",
        ),
        (
            [Constraint(share=0.3, time=6), Constraint(share=0.4, time=9)],
            "survival does not fall from 0.3 at 6 to 0.4 at 9",
        ),
        (
            [Constraint(share=0.3, time=6), Constraint(share=0.4, time=6)],
            "there are two numbers at time 6",
        ),
    ],
)
def test_contradictions_are_named(constraints, words):
    assert any(words in text for _, text in check(constraints))
    with pytest.raises(HeorError, match="number"):
        calibrate(model("exponential"), constraints)


def test_all_problems_come_at_once_with_their_labels():
    found = check(
        [
            Constraint(share=0.5, time=0, label="first"),
            Constraint(share=2.0, time=4, label="second"),
        ]
    )
    assert {label for label, _ in found} >= {"first", "second"}


def test_too_few_numbers():
    with pytest.raises(HeorError, match="weibull has 2 parameters, so it needs as many numbers"):
        calibrate(model("weibull"), [Constraint(share=0.5, time=6)])


def test_what_a_family_cannot_meet_is_not_called_exact():
    """A Gompertz cannot halve at once, stand still, and fall again."""
    found = calibrate(
        model("gompertz"),
        [
            Constraint(share=0.5, time=1),
            Constraint(share=0.49, time=2),
            Constraint(share=0.1, time=20),
        ],
    )
    assert not found.exact
    assert max(abs(r - w) for r, w in zip(found.reached, (0.5, 0.49, 0.1), strict=True)) > 0.01
