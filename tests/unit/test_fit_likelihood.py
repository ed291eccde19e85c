"""Likelihoods and fits against closed forms and against likelihoods written out plainly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from heor.engine.survival import CURVES
from heor.engine.survival_flexible import Spline
from heor.errors import HeorError
from heor.fitting.data import interval_censored, kaplan_meier, right_censored
from heor.fitting.density import log_density
from heor.fitting.fit import fit
from heor.fitting.maximise import curvature, maximise, slope
from heor.fitting.models import FITTED, Model, make_model


def simulated(n=300, seed=1, shape=1.4, scale=10.0, cured=0.0):
    rng = np.random.default_rng(seed)
    time = scale * rng.weibull(shape, n)
    time[rng.random(n) < cured] = np.inf
    censor = rng.uniform(2.0, 40.0, n)
    return np.minimum(time, censor), (time <= censor).astype(float)


# --- exponential closed forms ---------------------------------------------------------------


def test_exponential_is_events_over_exposure_with_entry_and_weights():
    time, event = simulated(80)
    entry = np.where(np.arange(80) % 3 == 0, 0.3 * time, 0.0)
    weight = np.arange(80) % 4 + 0.5
    found = fit("exponential", right_censored(time, event, entry=entry, weight=weight))
    events = float(weight @ event)
    exposure = float(weight @ (time - entry))
    assert found.estimates["rate"] == pytest.approx(events / exposure, rel=1e-11)
    assert found.covariance[0, 0] == pytest.approx(1 / events, rel=1e-8)
    best = events * math.log(events / exposure) - events
    assert found.log_likelihood == pytest.approx(best, abs=1e-9)
    assert found.sound


def test_left_censored_at_one_visit():
    """Seen once, at 5: 30 of 100 had the event before."""
    lower = [0.0] * 30 + [5.0] * 70
    upper = [5.0] * 30 + [np.inf] * 70
    found = fit("exponential", interval_censored(lower, upper))
    assert found.estimates["rate"] == pytest.approx(-math.log(0.7) / 5, rel=1e-10)
    assert found.log_likelihood == pytest.approx(30 * math.log(0.3) + 70 * math.log(0.7), abs=1e-9)


def test_events_between_visits_are_geometric():
    """Visits every 2: the rate follows from the share of visits without an event."""
    rng = np.random.default_rng(4)
    visit = rng.geometric(0.25, 200) - 1
    done = np.minimum(visit, 7)
    seen = visit < 7
    lower = 2.0 * done
    found = fit("exponential", interval_censored(lower, np.where(seen, lower + 2, np.inf)))
    share = seen.sum() / (done + seen).sum()
    assert found.estimates["rate"] == pytest.approx(-math.log1p(-share) / 2, rel=1e-10)


# --- other families: censoring of every kind, against scipy ----------------------------------

PLAIN = {
    "exponential": (lambda rate: stats.expon(scale=1 / rate), [0.08]),
    "weibull": (lambda shape, scale: stats.weibull_min(shape, scale=scale), [1.3, 11.0]),
    "gompertz": (
        lambda shape, rate: stats.gompertz(rate / shape, scale=1 / shape),
        [0.03, 0.06],
    ),
    "gamma": (lambda shape, rate: stats.gamma(shape, scale=1 / rate), [1.5, 0.15]),
    "lognormal": (lambda mean, sd: stats.lognorm(sd, scale=math.exp(mean)), [2.0, 0.9]),
    "loglogistic": (lambda shape, scale: stats.fisk(shape, scale=scale), [1.8, 8.0]),
    "gengamma": (
        lambda mu, sigma, q: stats.gengamma(
            q**-2, q / sigma, scale=math.exp(mu) * (q**2) ** (sigma / q)
        ),
        [2.2, 0.8, 0.7],
    ),
}


def mixed_data(n=150):
    time, event = simulated(n, seed=8, shape=2.5)
    kind = np.arange(n) % 4
    lower, upper = time.copy(), np.where(event > 0, time, np.inf)
    between = (kind == 1) & (event > 0)
    lower[between], upper[between] = 0.8 * time[between], 1.3 * time[between]
    left = (kind == 2) & (event > 0)
    lower[left] = 0.0
    entry = np.where((kind == 3) | ((kind == 0) & (event > 0)), 0.4 * time, 0.0)
    return interval_censored(lower, upper, entry=entry, weight=1.0 + (kind == 0))


def plainly(dist, data) -> float:
    """Sum kind by kind, as a textbook has it."""
    low, high, weight = data.lower, data.upper, data.weight
    seen, right = low == high, np.isinf(high)
    between = ~seen & ~right
    total = weight[seen] @ dist.logpdf(low[seen])
    total += weight[right] @ dist.logsf(low[right])
    total += weight[between] @ np.log(dist.cdf(high[between]) - dist.cdf(low[between]))
    return float(total - weight @ dist.logsf(data.entry))


@pytest.mark.parametrize("name", PLAIN)
def test_every_kind_of_censoring_is_that_of_scipy(name):
    data = mixed_data()
    assert {"exact", "left", "between", "right", "late"} == {
        "exact" if (data.lower == data.upper).any() else "",
        "left" if ((data.lower == 0) & np.isfinite(data.upper)).any() else "",
        "between" if ((data.lower > 0) & (data.upper > data.lower)).any() else "",
        "right" if np.isinf(data.upper).any() else "",
        "late" if (data.entry > 0).any() else "",
    }
    make, values = PLAIN[name]
    model = make_model(name, data=data)
    logs = model.on_log_scale
    theta = np.array([math.log(v) if log else v for v, log in zip(values, logs, strict=True)])
    assert model.log_likelihood(theta, data) == pytest.approx(
        plainly(make(*values), data), rel=1e-10
    )
    found = fit(name, data)
    assert found.sound

    def negative(theta):
        numbers = [math.exp(t) if log else t for t, log in zip(theta, logs, strict=True)]
        value = plainly(make(*numbers), data)
        return -value if math.isfinite(value) else 1e9

    if name == "gompertz":  # scipy's needs a shape above 0, which the maximum has
        assert found.estimates["shape"] > 0
    direct = optimize.minimize(
        negative, theta, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}
    )
    assert found.log_likelihood == pytest.approx(-direct.fun, abs=1e-6)
    np.testing.assert_allclose(found.theta, direct.x, rtol=2e-3, atol=2e-4)


# --- derivatives -----------------------------------------------------------------------------


def weibull_derivatives(theta, time, event):
    """Score and Hessian in ln shape and ln scale."""
    shape = math.exp(theta[0])
    z = np.log(time) - theta[1]
    h = np.exp(shape * z)
    score = np.array([(event * (1 + shape * z) - shape * z * h).sum(), (shape * (h - event)).sum()])
    first = (event * shape * z - shape * z * h * (1 + shape * z)).sum()
    both = (shape * (h - event) + shape**2 * z * h).sum()
    return score, np.array([[first, both], [both, -(shape**2) * h.sum()]])


def test_slope_and_curvature_of_an_exponential():
    time, event = simulated(60)
    data = right_censored(time, event)
    model = make_model("exponential", data=data)
    theta = np.array([-1.7])
    exposure = math.exp(-1.7) * time.sum()
    axes = np.array([[0.15]])
    likelihood = lambda at: model.log_likelihood(at, data)  # noqa: E731
    found = slope(likelihood, theta, axes)[0] / 0.15
    assert found == pytest.approx(event.sum() - exposure, rel=1e-9)
    assert curvature(likelihood, theta, axes)[0, 0] / 0.15**2 == pytest.approx(-exposure, rel=1e-8)


def test_slope_curvature_and_covariance_of_a_weibull():
    time, event = simulated(90)
    data = right_censored(time, event)
    model = make_model("weibull", data=data)
    likelihood = lambda at: model.log_likelihood(at, data)  # noqa: E731
    axes = np.array([[0.1, 0.03], [0.0, 0.08]])
    for theta in (np.array([0.1, 2.0]), np.array([0.5, 2.6])):
        score, hessian = weibull_derivatives(theta, time, event)
        np.testing.assert_allclose(slope(likelihood, theta, axes), axes.T @ score, rtol=1e-8)
        np.testing.assert_allclose(
            curvature(likelihood, theta, axes), axes.T @ hessian @ axes, rtol=1e-6
        )
    found = fit("weibull", data)
    score, hessian = weibull_derivatives(found.theta, time, event)
    np.testing.assert_allclose(score, 0.0, atol=1e-7)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(-hessian), rtol=1e-6)


def test_a_maximum_at_infinity_is_not_sound():
    found = maximise(lambda theta: -float(np.exp(-theta[0])), [np.zeros(1)])
    assert not found.sound
    with pytest.raises(ValueError, match="at every start"):
        maximise(lambda theta: -np.inf, [np.zeros(2)])


def test_a_ridge_is_not_sound():
    found = maximise(lambda theta: -float((theta[0] + theta[1]) ** 2), [np.array([1.0, 2.0])])
    assert not found.sound
    assert np.isnan(found.covariance).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_quadratic_is_found_in_any_scale(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4)) * 10.0 ** rng.uniform(-2, 2, 4)
    middle = rng.normal(size=4)

    def value(theta):
        return -0.5 * float(((theta - middle) @ root @ root.T) @ (theta - middle))

    found = maximise(value, [middle + 0.1 * rng.normal(size=4)])
    covariance = np.linalg.inv(root @ root.T)
    spread = np.sqrt(np.diag(covariance))
    assert found.sound
    assert np.abs((found.theta - middle) / spread).max() < 1e-6
    assert np.abs((found.covariance - covariance) / np.outer(spread, spread)).max() < 1e-5


# --- densities -------------------------------------------------------------------------------

DENSITIES = [
    *((CURVES[name], values) for name, (_, values) in PLAIN.items()),
    (CURVES["gompertz"], [-0.05, 0.1]),
    (CURVES["gompertz"], [0.0, 0.1]),
    (CURVES["gengamma"], [2.0, 0.8, -0.9]),
    (CURVES["gengamma"], [2.0, 0.8, 0.004]),
    (CURVES["gengamma"], [2.0, 0.8, 0.24]),
    (CURVES["gengamma"], [2.0, 0.8, 0.26]),
    (CURVES["genf"], [2.0, 0.8, 0.3, 0.5]),
    (CURVES["genf"], [2.0, 0.8, -0.3, 0.5]),
    *(
        (Spline(scale, 3), [-3.0, 1.1, 0.02, -1.0, 1.0, 3.0])
        for scale in ("hazard", "odds", "normal")
    ),
]


@pytest.mark.parametrize(("family", "values"), DENSITIES, ids=lambda v: getattr(v, "name", str(v)))
def test_density_is_hazard_times_survival(family, values):
    time = np.geomspace(0.05, 60.0, 40)
    wanted = np.log(family.hazard(time, values)) + family.log_survival(time, values)
    params = [np.asarray(v, dtype=float) for v in values]
    np.testing.assert_allclose(
        log_density(family, time, np.log(time), params), wanted, rtol=1e-10, atol=1e-9
    )


def test_density_of_a_generalised_gamma_goes_smoothly_through_q_zero():
    time = np.geomspace(0.05, 60.0, 40)
    params = [np.asarray(v) for v in (2.0, 0.8)]
    normal = log_density(CURVES["lognormal"], time, np.log(time), params)
    at_zero = log_density(CURVES["gengamma"], time, np.log(time), [*params, np.asarray(0.0)])
    np.testing.assert_allclose(at_zero, normal, rtol=1e-14)
    w = (np.log(time) - 2.0) / 0.8
    for q in (1e-9, 1e-6, -1e-6):
        near = log_density(CURVES["gengamma"], time, np.log(time), [*params, np.asarray(q)])
        series = -q * w**3 / 6 - q**2 * (w**4 / 24 + 1 / 12)
        np.testing.assert_allclose(near - normal, series, atol=2e-13)


# --- cure and excess hazard ------------------------------------------------------------------

TRUE = {"shape": 1.4, "scale": 10.0, "cure": 0.3}


def cure_plainly(kind, time, event, shape, scale, cure):
    total = 0.0
    for t, d in zip(time, event, strict=True):
        plain = math.exp(-((t / scale) ** shape))
        density = shape / scale * (t / scale) ** (shape - 1) * plain
        if kind == "mixture":
            alive, dying = cure + (1 - cure) * plain, (1 - cure) * density
        else:
            alive = cure ** (1 - plain)
            dying = -math.log(cure) * density * alive
        total += math.log(dying if d else alive)
    return total


@pytest.mark.parametrize("kind", ["mixture", "non_mixture"])
def test_cure_models(kind):
    rng = np.random.default_rng(11)
    n = 1500
    shape, scale, cure = TRUE.values()
    u = rng.random(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = (u - cure) / (1 - cure) if kind == "mixture" else 1 - np.log(u) / math.log(cure)
        time = np.where(inner > 0, scale * (-np.log(inner)) ** (1 / shape), np.inf)
    censor = rng.uniform(15.0, 60.0, n)
    at, event = np.minimum(time, censor), (time <= censor).astype(float)
    data = right_censored(at, event)
    found = fit("weibull", data, cure=kind)
    assert found.sound
    theta = np.array([math.log(1.3), math.log(9.0), 0.4])
    values = (1.3, 9.0, 1 / (1 + math.exp(-0.4)))
    assert found.model.log_likelihood(theta, data) == pytest.approx(
        cure_plainly(kind, at, event, *values), rel=1e-11
    )
    truth = np.array([math.log(shape), math.log(scale), math.log(cure / (1 - cure))])
    assert np.abs((found.theta - truth) / np.sqrt(np.diag(found.covariance))).max() < 3.5
    direct = optimize.minimize(
        lambda t: (
            -cure_plainly(
                kind, at, event, math.exp(t[0]), math.exp(t[1]), 1 / (1 + math.exp(-t[2]))
            )
        ),
        truth,
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-8},
    )
    assert found.log_likelihood == pytest.approx(-direct.fun, abs=1e-6)
    place = np.zeros(1, dtype=np.intp)
    median = found.model.quantile(found.theta, 0.5, place)[0]
    assert found.survival(np.array([median]))[0] == pytest.approx(0.5, abs=1e-12)
    assert np.isinf(found.model.quantile(found.theta, 0.99, place)[0])
    grid = np.linspace(0, 50, 200_001)
    area = float(np.trapezoid(found.survival(grid), grid))
    assert found.model.restricted_mean(found.theta, 50.0, place) == pytest.approx(area, rel=1e-7)


def test_excess_hazards():
    rng = np.random.default_rng(5)
    n = 2000
    population = rng.uniform(0.005, 0.03, n)  # constant per subject, so exact
    excess = 12.0 * rng.weibull(0.9, n)
    other = rng.exponential(1 / population)
    censor = rng.uniform(5, 40, n)
    time = np.minimum(np.minimum(excess, other), censor)
    event = (time < censor).astype(float)
    data = right_censored(time, event, expected=population)
    found = fit("weibull", data)
    truth = np.log([0.9, 12.0])
    assert np.abs((found.theta - truth) / np.sqrt(np.diag(found.covariance))).max() < 3.5

    def plain(theta):
        shape, scale = math.exp(theta[0]), math.exp(theta[1])
        total = 0.0
        for t, d, p in zip(time, event, population, strict=True):
            hazard = shape / scale * (t / scale) ** (shape - 1)
            total += d * math.log(p + hazard) - (t / scale) ** shape
        return total

    theta = np.log([1.1, 10.0])
    assert found.model.log_likelihood(theta, data) == pytest.approx(plain(theta), rel=1e-11)
    direct = optimize.minimize(
        lambda t: -plain(t), truth, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}
    )
    assert found.log_likelihood == pytest.approx(-direct.fun, abs=1e-6)
    assert fit("weibull", replace(data, expected=np.zeros(n))).log_likelihood != pytest.approx(
        found.log_likelihood, abs=1.0
    )


def test_relative_survival_of_the_exponential_has_a_closed_form():
    """With one population hazard for all the exponential excess is the crude rate less it."""
    time, event = simulated(200)
    found = fit("exponential", right_censored(time, event, expected=np.full(200, 0.01)))
    assert found.estimates["rate"] == pytest.approx(event.sum() / time.sum() - 0.01, rel=1e-9)


# --- units, rows, edges ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FITTED, "spline"])
def test_the_time_unit_changes_nothing_with_intervals_and_entry(name):
    data = mixed_data()
    months, days = fit(name, data), fit(name, data.scaled(1 / 30.4375))
    at = np.array([0.5, 5.0, 20.0, 100.0])
    np.testing.assert_allclose(
        months.survival(at), days.survival(at * 30.4375), rtol=1e-7, atol=1e-12
    )
    matrix, shift = months.model.to_unit(30.4375)
    if months.sound:
        np.testing.assert_allclose(matrix @ months.theta + shift, days.theta, rtol=1e-6, atol=1e-8)
        spread = np.sqrt(np.diag(days.covariance))
        moved = matrix @ months.covariance @ matrix.T
        assert np.abs((moved - days.covariance) / np.outer(spread, spread)).max() < 1e-6


def test_the_time_unit_changes_nothing_with_an_excess_hazard():
    time, event = simulated(300)
    expected = 0.001 + 0.0001 * time
    months = fit("weibull", right_censored(time, event, expected=expected))
    years = fit("weibull", right_censored(time / 12, event, expected=12 * expected))
    at = np.array([1.0, 12.0, 60.0])
    np.testing.assert_allclose(months.survival(at), years.survival(at / 12), rtol=1e-8)
    np.testing.assert_allclose(months.covariance, years.covariance, rtol=1e-7)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """120 Weibull trials of 100; the bounds are those of the binomial at 1 in 2,000 a side."""
    rng = np.random.default_rng(20)
    truth, inside, trials = np.log([1.3, 12.0]), np.zeros(2), 120
    for _ in range(trials):
        time, censor = 12.0 * rng.weibull(1.3, 100), rng.uniform(5, 40, 100)
        found = fit("weibull", right_censored(np.minimum(time, censor), time <= censor))
        errors = np.sqrt(np.diag(found.covariance))
        inside += np.abs(found.theta - truth) < 1.959963984540054 * errors
    low, high = stats.binom.ppf([0.0005, 0.9995], trials, 0.95)
    assert ((inside >= low) & (inside <= high)).all(), inside


@pytest.mark.parametrize("cure", ["mixture", "non_mixture"])
def test_the_time_unit_changes_nothing_with_a_cure(cure):
    time, event = simulated(600, cured=0.4)
    months = fit("loglogistic", right_censored(time, event), cure=cure)
    years = fit("loglogistic", right_censored(time / 12, event), cure=cure)
    assert months.sound
    assert years.estimates["cure"] == pytest.approx(months.estimates["cure"], rel=1e-7)
    at = np.array([1.0, 12.0, 60.0])
    np.testing.assert_allclose(months.survival(at), years.survival(at / 12), rtol=1e-8)


def test_equal_rows_count_as_often_as_they_stand():
    time, event = simulated(60)
    time = np.ceil(time)
    twice = right_censored(np.tile(time, 3), np.tile(event, 3))
    weighted = right_censored(time, event, weight=np.full(60, 3.0))
    once = twice.distinct()
    assert len(once) < 45
    assert once.subjects == twice.subjects == weighted.subjects
    for name in ("weibull", "spline"):
        a, b = fit(name, twice), fit(name, weighted)
        np.testing.assert_allclose(a.theta, b.theta, rtol=1e-8)
        assert a.bic == pytest.approx(b.bic, rel=1e-12)
        np.testing.assert_allclose(a.model.knots, b.model.knots, rtol=1e-12)


def test_knots_are_quantiles_of_the_events():
    time, event = simulated(101)
    model = make_model("spline", data=right_censored(time, event), inner=3)
    seen = np.log(time[event > 0])
    np.testing.assert_allclose(model.knots, np.quantile(seen, [0, 0.25, 0.5, 0.75, 1]), rtol=1e-12)


def test_knots_may_be_given():
    time, event = simulated(101)
    data = right_censored(time, event)
    by_quantiles = fit("spline", data, inner=2)
    given = fit("spline", data, knots=by_quantiles.model.knots)
    assert given.log_likelihood == pytest.approx(by_quantiles.log_likelihood, abs=1e-10)
    elsewhere = fit("spline", data, knots=(-1.0, 2.0, 4.0))
    assert elsewhere.model.knots == (-1.0, 2.0, 4.0)
    assert elsewhere.sound


def test_a_generalised_f_at_its_edge_is_the_generalised_gamma():
    time, event = simulated(800, seed=3)
    simpler, found = (fit(name, right_censored(time, event)) for name in ("gengamma", "genf"))
    assert found.log_likelihood >= simpler.log_likelihood - 1e-9
    if found.limit:
        assert found.limit == "gengamma"
        assert not found.sound
        np.testing.assert_allclose(found.theta[:3], simpler.theta, rtol=1e-6)
        at = np.array([1.0, 10.0, 30.0])
        np.testing.assert_allclose(found.survival(at), simpler.survival(at), rtol=1e-6)
    else:
        assert found.log_likelihood > simpler.log_likelihood


def test_every_sound_maximum_is_one():
    """No step of half a standard error in any direction leads higher."""
    data = mixed_data()
    for name in FITTED:
        found = fit(name, data)
        if not found.sound:
            continue
        root = np.linalg.cholesky(found.covariance)
        top = found.model.log_likelihood(found.theta, data)
        for direction in (*root.T, *-root.T):
            lower = found.model.log_likelihood(found.theta + 0.5 * direction, data)
            assert lower < top - 0.05


def test_clear_words_where_nothing_can_be_fitted():
    with pytest.raises(HeorError, match="every subject is censored"):
        fit("weibull", right_censored([1.0, 2.0], [0, 0]))
    with pytest.raises(HeorError, match="2 numbers to fit need as many events; found 1"):
        fit("weibull", right_censored([1.0], [1]))
    alone = fit("exponential", right_censored([4.0], [1]))
    assert alone.estimates["rate"] == pytest.approx(0.25, rel=1e-10)
    with pytest.raises(HeorError, match="too few distinct event times"):
        fit("spline", right_censored([3.0] * 6, [1] * 6))
    assert not fit("weibull", right_censored([3.0] * 6, [1] * 6)).sound


@pytest.mark.parametrize("size", [1e-300, 1e-21, 1e21, 1e300])
def test_times_beyond_any_unit_are_refused(size):
    with pytest.raises(HeorError, match="subject 2: times must lie between 1e-20 and 1e"):
        right_censored([1.0, size], [1, 1])


@pytest.mark.parametrize("size", [1e-18, 1e18])
def test_tiny_and_huge_times_give_the_same_curve(size):
    time, event = simulated(60)
    for name in ("weibull", "gompertz", "gengamma"):
        usual = fit(name, right_censored(time, event))
        other = fit(name, right_censored(size * time, event))
        at = np.array([1.0, 8.0, 30.0])
        np.testing.assert_allclose(other.survival(size * at), usual.survival(at), rtol=1e-8)


def test_names_and_scales_of_a_model():
    model = Model(family=CURVES["weibull"], cure="mixture", groups=("a", "b"))
    assert model.names == ("shape", "scale", "cure", "group:b")
    assert model.on_log_scale == (True, True, False, False)
    values = model.natural(np.array([0.0, math.log(5), 0.0, 0.7]))
    assert values == pytest.approx({"shape": 1, "scale": 5, "cure": 0.5, "group:b": 0.7})
    with pytest.raises(ValueError, match="no spline"):
        Spline("nothing", 3)


def test_kaplan_meier_by_hand_with_entry_and_weights():
    """At 2 two of 4 + 1 die; at 3, when the late ones are there, one of 2 + 1 + 3."""
    data = right_censored(
        [2.0, 2.0, 3.0, 4.0, 4.0, 5.0],
        [1, 0, 1, 0, 0, 0],
        entry=[0, 0, 0, 0, 2, 2.5],
        weight=[2, 1, 1, 1, 1, 3],
    )
    times, survival = kaplan_meier(data)
    assert times.tolist() == [2, 3]
    np.testing.assert_allclose(survival, [1 - 2 / 5, (1 - 2 / 5) * (1 - 1 / 6)], rtol=1e-14)
    middle = interval_censored([2.0, 1.0, 3.0], [4.0, 1.0, np.inf])
    times, survival = kaplan_meier(middle)
    assert times.tolist() == [1, 3]
    np.testing.assert_allclose(survival, [2 / 3, 1 / 3], rtol=1e-14)
