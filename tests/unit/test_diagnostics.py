"""Diagnostics of patient data: curves, hazards, straight lines, quantiles, proportional hazards."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.special import ndtri

from heor.errors import HeorError, InputErrors
from heor.fitting import targets
from heor.fitting.cox import (
    TRANSFORMS,
    cox,
    proportionality,
    proportionality_test,
    smoothed_residuals,
    time_transform,
)
from heor.fitting.data import interval_censored, right_censored
from heor.fitting.diagnostics import axis_step, diagnose
from heor.fitting.nonparametric import (
    boundary_kernel,
    numbers_at_risk,
    observed_curve,
    quantile_plot,
    smoothed_hazard,
    straight_lines,
)


@pytest.fixture(scope="module")
def trial():
    """Two groups with ties, delayed entry and censoring."""
    rng = np.random.default_rng(5)
    n = 90
    group = np.where(np.arange(n) % 3 == 0, "b", "a")
    time = np.ceil(np.where(group == "b", 14, 9) * rng.weibull(1.4, n) * 2) / 2 + 1
    censor = np.ceil(rng.uniform(2, 20, n))
    late = np.floor(rng.uniform(size=n) * np.minimum(time, censor) * 2) / 2
    entry = np.where(rng.uniform(size=n) < 0.4, late, 0.0)
    return right_censored(
        np.minimum(time, censor), time <= censor, entry=entry, group=group.tolist()
    )


# --- Kaplan-Meier --------------------------------------------------------------------------------


def test_delayed_entry_and_numbers_at_risk() -> None:
    data = right_censored([2, 3, 3, 5, 6], [1, 1, 0, 1, 0], entry=[0, 0, 1, 2, 3])
    found = observed_curve(data)
    # at 2: subjects 1, 2, 3 (4 enters then); at 3: 2, 3, 4 (5 enters then); at 5: 4, 5
    assert found.at_risk.tolist() == [3, 3, 2]
    assert np.allclose(found.survival, [2 / 3, 4 / 9, 2 / 9], rtol=1e-15)
    assert numbers_at_risk(data, np.array([0.0, 2.0, 3.0, 5.0, 7.0])).tolist() == [2, 3, 3, 2, 0]
    assert found.at(np.array([0.0, 1.9, 2.0, 9.0])).tolist() == [1, 1, *found.survival[[0, 2]]]


def test_weights_count_people_and_intervals_stand_at_their_middle() -> None:
    one = observed_curve(right_censored([1, 2, 2, 4], [1, 1, 1, 0]))
    other = observed_curve(interval_censored([1, 1.5, 4], [1, 2.5, np.inf], weight=[1, 2, 1]))
    for name in ("time", "survival", "low", "high", "events", "at_risk"):
        assert np.allclose(getattr(one, name), getattr(other, name), rtol=1e-14), name


def test_a_curve_that_ends_at_zero_has_no_band_there() -> None:
    found = observed_curve(right_censored([1, 2], [1, 1]))
    assert found.survival.tolist() == [0.5, 0.0]
    assert np.isnan(found.low[1])
    assert np.isnan(found.high[1])
    assert found.quantile(np.array([0.5, 0.6])).tolist() == [1, 2]
    rounded = observed_curve(right_censored([1, 2, 3], [1, 1, 1], weight=[0.1, 0.2, 0.3]))
    assert rounded.survival[2] == 0
    assert np.isnan(rounded.low).tolist() == [False, False, True]
    with pytest.raises(HeorError, match="no events"):
        observed_curve(right_censored([1, 2], [0, 0]))


# --- hazards -------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [0.0, 0.3, 0.7, 1.0])
def test_boundary_kernels_have_mass_one_and_mean_zero(q) -> None:
    z = np.linspace(-1, q, 200_001)
    value = boundary_kernel(z, np.array(q))
    assert np.trapezoid(value, z) == pytest.approx(1, abs=1e-8)
    assert np.trapezoid(z * value, z) == pytest.approx(0, abs=1e-8)
    assert boundary_kernel(np.array([-1.01, q + 0.01]), np.array(q)).tolist() == [0, 0]


def test_the_smoothed_hazard_of_an_even_stream_of_events_is_level() -> None:
    """Deaths at the quantiles of an exponential: increments of the cumulative hazard are even."""
    n = 4000
    time = -np.log1p(-(np.arange(n) + 0.5) / n) / 0.3
    data = right_censored(np.minimum(time, 5.0), time < 5.0)
    found = smoothed_hazard(data)
    assert np.allclose(found.hazard[:85], 0.3, rtol=0.001)
    assert np.allclose(found.hazard, 0.3, rtol=0.04)  # half a gap between events, at the end
    assert found.chosen
    assert found.bandwidth == pytest.approx(5 / (3 * data.events**0.2), rel=1e-12)
    assert found.time[[0, -1]].tolist() == [0, 5]
    assert (found.low < 0.3).all()
    assert (found.high > 0.3).all()
    middle = 50
    events = found.bandwidth * 2 * 0.3 * n * math.exp(-0.3 * found.time[middle])
    error = math.log(found.high[middle] / found.hazard[middle]) / 1.96
    assert error == pytest.approx(math.sqrt(1.2 / events), rel=0.02)  # 2 ∫K² = 1.2


def test_the_smoothed_hazard_by_hand() -> None:
    """Inside, each event counts 0.75(1 - z²) over the bandwidth times events over at risk."""
    data = right_censored([*range(1, 21), *([30] * 20)], [1] * 20 + [0] * 20)
    found = smoothed_hazard(data, bandwidth=4.0)
    at = found.time[45]
    assert at == pytest.approx(13.5)
    wanted = sum(
        0.75 * (1 - ((at - t) / 4) ** 2) / 4 / (41 - t) for t in range(1, 21) if abs(at - t) < 4
    )
    assert found.hazard[45] == pytest.approx(wanted, rel=1e-12)


def test_too_few_to_smooth() -> None:
    with pytest.raises(HeorError, match="fewer than 5 events while 10 or more"):
        smoothed_hazard(right_censored(range(1, 12), [1] * 11))
    with pytest.raises(HeorError, match="a bandwidth of 30: it must be above 0 and at most 12"):
        smoothed_hazard(right_censored([*range(1, 21), *[24] * 20], [1] * 20 + [0] * 20), 30.0)


# --- lines and quantiles -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "quantile", "slope", "intercept"),
    [
        ("log_cumulative_hazard", lambda p: 7 * (-np.log1p(-p)) ** (1 / 1.5), 1.5, -1.5),
        ("log_odds", lambda p: 7 * (p / (1 - p)) ** (1 / 1.5), 1.5, -1.5),
        ("normal", lambda p: 7 * np.exp(ndtri(p) / 1.5), 1.5, -1.5),
    ],
)
def test_each_family_is_a_straight_line_on_its_scale(scale, quantile, slope, intercept) -> None:
    time = quantile(np.arange(1, 200) / 200)
    curve = observed_curve(right_censored([*time, 1e6], [1] * 199 + [0]))
    (line,) = [one for one in straight_lines(curve) if one.scale == scale]
    assert line.slope == pytest.approx(slope, rel=1e-10)
    assert line.intercept == pytest.approx(intercept * math.log(7), rel=1e-9)
    assert line.explained == pytest.approx(1, abs=1e-12)
    others = [one.explained for one in straight_lines(curve) if one.scale != scale]
    assert max(others) < 0.999


def test_quantiles_of_stretched_time_have_one_ratio() -> None:
    time = np.array([1.0, 2, 3, 5, 8, 13, 21, 34])
    first = observed_curve(right_censored([*time, 40], [1] * 8 + [0]))
    second = observed_curve(right_censored([*(2.5 * time), 90], [1] * 8 + [0]))
    found = quantile_plot("a", first, "b", second)
    assert found is not None
    assert found.share[-1] == pytest.approx(0.85)
    assert [found.factor, found.low, found.high] == pytest.approx([2.5] * 3, rel=1e-14)
    odd = observed_curve(right_censored([1, 2, 8, 9], [1, 1, 1, 1]))
    even = observed_curve(right_censored([1, 4, 8, 18], [1, 1, 1, 1]))
    bent = quantile_plot("a", odd, "b", even)
    assert bent is not None  # ratio 2 at 5 and at 4 of the 19 shares, else 1
    assert bent.factor == pytest.approx(2 ** (9 / 19), rel=1e-14)
    late = observed_curve(right_censored([1] + [2] * 99, [1] + [0] * 99))
    assert quantile_plot("a", late, "b", second) is None


# --- proportional hazards ------------------------------------------------------------------------


def partial(data, x, beta, trend=None, gamma=None):
    """Log partial likelihood with Efron's ties in plain loops; gamma is the slope in trend(t)."""
    total = 0.0
    for t in sorted(set(data.lower[data.exact])):
        effect = beta if trend is None else beta + gamma * trend[t]
        risk = [math.exp(float(x[i] @ effect)) for i in range(len(data))]
        here = [i for i in range(len(data)) if data.entry[i] < t <= data.lower[i]]
        tied = [i for i in here if data.exact[i] and data.lower[i] == t]
        for gone, i in enumerate(tied):
            at_risk = sum(risk[j] for j in here) - gone / len(tied) * sum(risk[j] for j in tied)
            total += float(x[i] @ effect) - math.log(at_risk)
    return total


def derivatives(function, size, h=1e-4):
    axes = np.eye(size) * h
    slope = np.array([(function(a) - function(-a)) / (2 * h) for a in axes])
    bend = np.array(
        [
            [
                (function(a + b) - function(a - b) - function(b - a) + function(-a - b))
                / (4 * h * h)
                for b in axes
            ]
            for a in axes
        ]
    )
    return slope, bend


@pytest.fixture(scope="module")
def covariates(trial):
    return np.column_stack([trial.group == 1, np.arange(len(trial)) % 7]).astype(float)


def test_cox_against_plain_loops(trial, covariates) -> None:
    fit = cox(trial, covariates)
    assert fit.log_likelihood == pytest.approx(
        partial(trial, covariates - covariates.mean(axis=0), fit.coefficients), rel=1e-12
    )
    slope, bend = derivatives(lambda move: partial(trial, covariates, fit.coefficients + move), 2)
    assert np.allclose(slope, 0, atol=1e-6)
    assert np.allclose(np.linalg.inv(-bend), fit.covariance, rtol=1e-5)
    assert np.allclose(fit.residuals.sum(axis=0), 0, atol=1e-9)
    assert len(fit.time) == trial.events


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_score_test_is_that_of_a_trend_in_the_model(trial, covariates, transform) -> None:
    fit = cox(trial, covariates)
    values = time_transform(transform, trial, fit.time)
    spread = values.std()
    trend = dict(zip(fit.time, (values - values.mean()) / spread, strict=True))
    slope, bend = derivatives(
        lambda move: partial(trial, covariates, fit.coefficients + move[:2], trend, move[2:]), 4
    )
    found = proportionality_test(fit, trial, transform)
    wanted = slope @ np.linalg.solve(-bend, slope)
    assert found.together.statistic == pytest.approx(wanted, rel=1e-5)
    assert found.together.p == pytest.approx(math.exp(-wanted / 2), rel=1e-5)  # two degrees
    for j in range(2):
        own = [0, 1, 2 + j]
        wanted = slope[own] @ np.linalg.solve(-bend[np.ix_(own, own)], slope[own])
        assert found.each[j].statistic == pytest.approx(wanted, rel=1e-5)


def test_transformations_of_time() -> None:
    data = right_censored([1, 2, 2, 3, 4, 5], [1, 1, 1, 0, 1, 0])
    time = np.array([1.0, 2, 2, 4])
    assert time_transform("rank", data, time).tolist() == [1, 2.5, 2.5, 4]
    assert np.allclose(time_transform("km", data, time), [0, 1 / 6, 1 / 6, 1 / 2])
    assert np.array_equal(time_transform("log", data, time), np.log(time))


def test_weights_are_people(trial) -> None:
    twice = replace(trial, weight=np.full(len(trial), 2.0))
    rows = np.repeat(np.arange(len(trial)), 2)
    names = ("lower", "upper", "entry", "weight", "group", "expected")
    doubled = replace(trial, **{name: getattr(trial, name)[rows] for name in names})
    a, b = proportionality(twice), proportionality(doubled)
    assert a.fit.coefficients == pytest.approx(b.fit.coefficients, rel=1e-12)
    assert a.tests[2].together.statistic == pytest.approx(b.tests[2].together.statistic, rel=1e-12)
    with pytest.raises(HeorError, match="whole numbers of people"):
        proportionality(replace(trial, weight=np.full(len(trial), 0.5)))


def test_a_hazard_ratio_without_a_finite_estimate() -> None:
    data = right_censored([1, 2, 3, 7, 8, 9], [1, 1, 1, 1, 1, 1], group=list("aaabbb"))
    with pytest.raises(HeorError, match="no finite estimate"):
        proportionality(data)
    found = diagnose(data, per_year=12)
    assert found.proportional is None
    assert found.notes == (
        "no test of proportional hazards: Cox regression: a hazard ratio has no finite estimate.",
    )


def test_the_smooth_finds_a_natural_spline(trial) -> None:
    found = proportionality(trial)
    knots = np.quantile(found.fit.time, [0, 1 / 3, 2 / 3, 1])
    spline = CubicSpline(knots, [0.3, -0.4, 0.8, 0.1], bc_type="natural")
    wanted = (spline(found.fit.time) - found.fit.coefficients) / (
        len(found.fit.time) * found.fit.covariance[0, 0]
    )
    smooth = smoothed_residuals(replace(found.fit, residuals=wanted[:, None]))
    assert smooth is not None
    assert np.allclose(smooth.value, spline(smooth.time), atol=1e-9)
    assert (smooth.low < smooth.value).all()


# --- all of it -----------------------------------------------------------------------------------


def test_all_groups(trial) -> None:
    found = diagnose(trial, per_year=12)
    assert [one.group for one in found.groups] == list(trial.groups)
    assert found.of("b").observed.last == trial.of("b").lower.max()
    assert found.risk_time[0] == 0
    assert [one.at_risk[0] for one in found.groups] == [
        (trial.of(g).entry == 0).sum() for g in trial.groups
    ]
    assert [plot.group for plot in found.quantiles] == ["b"] if trial.groups[0] == "a" else ["a"]
    alone = diagnose(trial.of("a"), per_year=12)
    assert alone.proportional is None
    assert alone.quantiles == ()
    with pytest.raises(HeorError, match="a bandwidth of 99"):
        diagnose(trial, per_year=12, bandwidth=99.0)


def test_words_about_delayed_entry_and_intervals() -> None:
    data = right_censored([2, *range(4, 24)], [1] * 21, entry=[1.0] + [2.5] * 20)
    found = diagnose(data, per_year=12)
    assert "falls by half or more at time 2, where only 1 had entered" in found.groups[0].notes[0]
    late = right_censored(range(1, 13), [1] * 12, entry=[0] * 11 + [0.5])
    assert not any("entered" in note for note in diagnose(late, per_year=12).groups[0].notes)
    data = interval_censored([1, 2, 3], [2, 3, np.inf])
    assert "stand at its middle" in diagnose(data, per_year=12).notes[0]


@pytest.mark.parametrize(
    ("span", "per_year", "step"),
    [
        (27, 12, 3),
        (70, 12, 12),
        (8, 1, 1),
        (1000, 365.25, 100),
        (60, 365.25 / 7, 13),
        (900, 12, 100),
    ],
)
def test_steps_of_time(span, per_year, step) -> None:
    assert axis_step(span, per_year) == step


# --- targets -------------------------------------------------------------------------------------


def test_targets_as_texts_and_from_a_file(tmp_path) -> None:
    given = targets.parse(["24=0.3:0.2:0.4", "b@60=0.05"])
    assert [one.met(0.25) for one in given] == [True, None]
    assert given[0].met(0.41) is False
    assert given[0].met(0.2) is True
    path = tmp_path / "t.csv"
    path.write_text("time,survival,low,high,group,source\n60,0.05,,,b,Registry\n24,.3,.2,.4,,\n")
    read = targets.read(path)
    assert read[0].source == "Registry"
    assert targets.of_group(read, "a") == (
        targets.Target(time=24, survival=0.3, low=0.2, high=0.4),
    )
    assert [one.time for one in targets.of_group(read, "b")] == [24, 60]
    targets.check_groups(read, ("a", "b"))
    with pytest.raises(InputErrors, match="no group is `b`; there are `a`"):
        targets.check_groups(read, ("a",))


def test_every_problem_of_targets_at_once(tmp_path) -> None:
    with pytest.raises(InputErrors) as found:
        targets.parse(["24", "x=0.3", "6=1.3", "6=0.3:0.4", "0=0.5", "6=0.3:0.4:0.5", "@6=0.3"])
    assert len(found.value.problems) == 7
    for words in (
        "--target 24: write TIME=S or TIME=S:LOW:HIGH",
        "--target x=0.3: write",
        "--target 6=1.3: survival must be between 0 and 1, found 1.3",
        "--target 0=0.5: the time must be above 0, found 0",
        "--target 6=0.3:0.4:0.5: 0.3 is not inside its interval, 0.4 to 0.5",
        "--target @6=0.3: write",
    ):
        assert words in str(found.value), words
    path = tmp_path / "t.csv"
    path.write_text("time,survival,low,high\nx,0.5,,\n6,0.5,0.4,\n7,2,,\n")
    with pytest.raises(InputErrors) as found:
        targets.read(path)
    words = [str(problem) for problem in found.value.problems]
    assert "row 2, column time: found `x`; expected a time above 0" in words[0]
    assert "row 3: an interval has both ends" in words[1]
    assert "row 4: survival must be between 0 and 1, found 2" in words[2]
