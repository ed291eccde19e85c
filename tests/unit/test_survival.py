"""Survival families: block evaluation, reductions, quantiles, restricted means, formulas."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from family_numbers import family_called
from scipy import integrate, special

from heor.engine.survival import CURVES, step_excel, step_survival
from heor.engine.survival_math import SMALL_Q
from heor.spec.records import FAMILIES, KaplanMeier

#: A few parameter sets of each family, in its order, times in years.
SETS: dict[str, list[tuple[float, ...]]] = {
    "exponential": [(0.3,), (2.0,)],
    "weibull": [(0.6, 2.0), (1.0, 3.0), (2.5, 1.2)],
    "gompertz": [(0.2, 0.1), (-0.4, 0.5), (0.0, 0.3)],
    "loglogistic": [(0.8, 2.0), (1.0, 1.0), (3.0, 1.5)],
    "lognormal": [(0.6, 0.9), (-1.0, 2.0)],
    "gamma": [(0.5, 0.3), (1.0, 0.7), (4.0, 2.0)],
    "gengamma": [
        (0.6, 0.8, 1.3),
        (0.6, 0.8, -0.7),
        (0.6, 0.8, 0.0),
        (0.6, 0.8, 0.006),
        (0.6, 0.8, -0.006),
        (0.6, 0.8, 6.0),
        (0.6, 0.8, -6.0),
    ],
    "genf": [
        *((0.6, 0.8, q, p) for q in (-2.0, -0.3, 0.0, 0.5, 3.0) for p in (1e-6, 0.4, 3.0)),
        (0.6, 0.8, 1.0, 1e-12),
    ],
    "spline hazard 2": [(-0.8, 1.2, -2.0, 1.5)],
    "spline hazard 3": [(-0.8, 1.2, 0.05, -2.0, 0.3, 1.5), (-0.8, 0.9, -0.04, -1.0, 0.0, 2.0)],
    "spline odds 4": [(-0.5, 1.5, 0.06, -0.05, -2.0, -0.2, 0.7, 1.9)],
    "spline normal 3": [(-0.4, 0.9, 0.03, -2.0, 0.3, 1.5)],
    "spline hazard 7": [
        (-0.7, 1.1, 0.04, -0.05, 0.03, -0.02, 0.03, -2.5, -1.0, -0.3, 0.2, 0.8, 1.4, 2.2)
    ],
}
CASES = [(name, params) for name, sets in SETS.items() for params in sets]
TIMES = np.arange(0, 1045) * 7 / 365.25


def block(family: str, rows: list[tuple[float, ...]], times: np.ndarray = TIMES) -> np.ndarray:
    """S of several parameter sets at once, by the engine's entry."""
    with np.errstate(divide="ignore"):
        log_times = np.log(times)
    curve = family_called(family)
    columns = [np.array(column)[:, None] for column in zip(*rows, strict=True)]
    out = np.full((len(rows), times.shape[-1]), np.nan)
    at = None if curve.uses_log_time else times
    result = curve.survival(at, log_times if curve.uses_log_time else None, columns, out)
    assert result is out
    return out


def test_registry_is_the_table_of_families() -> None:
    planned = {
        name: parameters
        for name, parameters in FAMILIES.items()
        if name not in ("kaplan_meier", "post_progression", "spline")
    }
    assert {name: curve.parameters for name, curve in CURVES.items()} == planned
    assert all(set(curve.positive) <= set(curve.parameters) for curve in CURVES.values())


def test_values_by_hand() -> None:
    at_two = np.array([2.0])
    assert block("exponential", [(0.3,)], at_two) == pytest.approx(math.exp(-0.6), rel=1e-15)
    assert block("weibull", [(2.0, 4.0)], at_two) == pytest.approx(math.exp(-0.25), rel=1e-15)
    gompertz = math.exp(-0.1 / 0.5 * (math.e - 1))
    assert block("gompertz", [(0.5, 0.1)], at_two) == pytest.approx(gompertz, rel=1e-15)
    assert block("loglogistic", [(2.0, 4.0)], at_two) == pytest.approx(0.8, rel=1e-15)
    normal = 0.5 * math.erfc((math.log(2) - 0.5) / 0.8 / math.sqrt(2))
    assert block("lognormal", [(0.5, 0.8)], at_two) == pytest.approx(normal, rel=1e-15)
    # Erlang: a gamma of shape 2 is e^-x (1 + x)
    assert block("gamma", [(2.0, 1.5)], at_two) == pytest.approx(4 * math.exp(-3), rel=1e-15)
    # Prentice with Q = 1/sqrt 2 has gamma shape 2: e^-u (1 + u), u = 2 e^(Qw)
    u = 2 * math.exp(math.sqrt(0.5) * (math.log(2) - 0.1) / 0.7)
    generalised = math.exp(-u) * (1 + u)
    assert block("gengamma", [(0.1, 0.7, math.sqrt(0.5))], at_two) == pytest.approx(
        generalised, rel=1e-14
    )
    # and for Q < 0 the other tail
    u = 2 * math.exp(-math.sqrt(0.5) * (math.log(2) - 0.1) / 0.7)
    generalised = 1 - math.exp(-u) * (1 + u)
    assert block("gengamma", [(0.1, 0.7, -math.sqrt(0.5))], at_two) == pytest.approx(
        generalised, rel=1e-14
    )


@pytest.mark.parametrize("family", SETS)
def test_starts_at_exactly_one_and_never_rises(family: str) -> None:
    survival = block(family, SETS[family])
    assert np.all(survival[:, 0] == 1.0)
    assert np.all((survival >= 0.0) & (survival <= 1.0))
    # noise of the last bits only
    assert np.diff(survival, axis=1).max() < 1e-14


@pytest.mark.parametrize("family", SETS)
def test_rows_do_not_depend_on_their_neighbours(family: str) -> None:
    rows = SETS[family] * 3
    together = block(family, rows)
    for index, row in enumerate(rows):
        assert np.array_equal(block(family, [row])[0], together[index])
    assert np.array_equal(block(family, rows[::-1])[::-1], together)


@pytest.mark.parametrize("family", SETS)
def test_times_of_each_draw(family: str) -> None:
    rows = SETS[family]
    shifted = np.maximum(TIMES - 0.3, 0.0) / np.linspace(1.0, 1.5, len(rows))[:, None]
    together = block(family, rows, shifted)
    for index, row in enumerate(rows):
        assert np.array_equal(block(family, [row], shifted[index])[0], together[index])


@pytest.mark.parametrize("family", SETS)
def test_extremes_give_no_warning_and_no_nan(family: str) -> None:
    times = np.array([0.0, 1e-300, 1e-12, 1.0, 1e4, 1e8])
    with np.errstate(all="raise"):
        log_times = np.concatenate(([-np.inf], np.log(times[1:])))
        curve = family_called(family)
        for params in SETS[family]:
            columns = [np.array([[value]]) for value in params]
            out = curve.survival(times, log_times, columns, np.empty((1, len(times))))
            assert not np.isnan(out).any()
            assert not np.isnan(curve.cumulative_hazard(times, params)).any()
            assert not np.isnan(curve.hazard(times[1:], params)).any()


def test_the_time_a_family_reads_must_be_given() -> None:
    out = np.empty((1, 1))
    with pytest.raises(ValueError, match="weibull needs log_time"):
        CURVES["weibull"].survival(np.ones(1), None, [np.ones((1, 1))] * 2, out)
    with pytest.raises(ValueError, match="gamma needs time"):
        CURVES["gamma"].survival(None, np.zeros(1), [np.ones((1, 1))] * 2, out)


def same(left: np.ndarray, right: np.ndarray) -> None:
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-14)


def test_reductions() -> None:
    same(block("weibull", [(1.0, 4.0)]), block("exponential", [(0.25,)]))
    assert np.array_equal(block("gompertz", [(0.0, 0.25)]), block("exponential", [(0.25,)]))
    same(block("gompertz", [(1e-17, 0.25)]), block("exponential", [(0.25,)]))
    same(block("gamma", [(1.0, 0.25)]), block("exponential", [(0.25,)]))
    mu, sigma = 0.7, 0.6
    same(block("gengamma", [(mu, sigma, 1.0)]), block("weibull", [(1 / sigma, math.exp(mu))]))
    same(block("gengamma", [(mu, sigma, 0.0)]), block("lognormal", [(mu, sigma)]))
    gamma = (sigma**-2, math.exp(-mu) * sigma**-2)
    same(block("gengamma", [(mu, sigma, sigma)]), block("gamma", [gamma]))


def test_reductions_of_the_generalised_f() -> None:
    mu, sigma = 0.7, 0.6
    # δ² = 2 and s1 = s2 = 1
    logistic = (math.sqrt(2) / sigma, math.exp(mu))
    same(block("genf", [(mu, sigma, 0.0, 1.0)]), block("loglogistic", [logistic]))
    for q in (-1.2, -0.3, 0.2, 1.0):
        gengamma = block("gengamma", [(mu, sigma, q)])
        away = [np.abs(block("genf", [(mu, sigma, q, p)]) - gengamma).max() for p in (1e-4, 1e-6)]
        # the difference is of first order in P
        assert 0 < away[0] < 1e-4
        assert away[1] == pytest.approx(away[0] / 100, rel=0.01)


@pytest.mark.parametrize("more", [(), (0.3,), (-0.5, 0.1, 0.4)])
def test_a_spline_that_does_not_bend(more: tuple[float, ...]) -> None:
    """A line in ln t is Weibull, log-logistic or log-normal, whatever the knots are."""
    shape, scale = 1.3, 2.5
    knots = (-2.0, *more, 1.5)
    params = (-shape * math.log(scale), shape, *(0.0 for _ in more), *knots)
    lines = {
        "hazard": block("weibull", [(shape, scale)]),
        "odds": block("loglogistic", [(shape, scale)]),
        "normal": block("lognormal", [(math.log(scale), 1 / shape)]),
    }
    for name, line in lines.items():
        same(block(f"spline {name} {len(knots)}", [params]), line)


def test_a_spline_is_a_line_beyond_its_end_knots() -> None:
    family = family_called("spline hazard 4")
    params = tuple(np.float64(v) for v in (-0.8, 1.2, 0.05, -0.03, -2.0, 0.1, 0.6, 1.5))
    for start, side in ((-2.0, -1.0), (1.5, 1.0)):
        x = start + side * np.array([0.0, 0.5, 3.0, 6.0])
        eta = family.linear(x, params)
        slopes = np.diff(eta) / np.diff(x)
        np.testing.assert_allclose(slopes, slopes[0], rtol=1e-12)
        np.testing.assert_allclose(family.slope(x, params), slopes[0], rtol=1e-12)


def test_knots_of_a_draw_that_fall_make_no_number() -> None:
    rows = [(-0.8, 1.2, 0.05, -2.0, 0.3, 1.5), (-0.8, 1.2, 0.05, -2.0, 1.7, 1.5)]
    survival = block("spline hazard 3", rows)
    assert np.isfinite(survival[0]).all()
    assert np.isnan(survival[1, 1:]).all()
    assert survival[1, 0] == 1.0
    with pytest.raises(ValueError, match="no spline of 1 knots on the scale 'odds'"):
        family_called("spline odds 1")


def test_gengamma_is_smooth_where_its_formula_changes() -> None:
    for q in (SMALL_Q, -SMALL_Q, 0.0):
        below, above = block("gengamma", [(0.6, 0.8, q * (1 - 1e-13) - 1e-300), (0.6, 0.8, q)])
        same(below, above)


def test_gengamma_near_zero_has_methods_first_order() -> None:
    q, times = 1e-6, np.array([0.05, 1.0, 1.7, 6.0, 40.0])
    w = (np.log(times) - 0.6) / 0.8
    density = np.exp(-0.5 * w**2) / math.sqrt(2 * math.pi)
    first_order = special.ndtr(-w) - q * density * (w**2 + 2) / 6
    np.testing.assert_allclose(
        block("gengamma", [(0.6, 0.8, q)], times)[0], first_order, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(("family", "params"), CASES)
def test_cumulative_hazard_and_hazard_belong_to_survival(
    family: str, params: tuple[float, ...]
) -> None:
    curve = family_called(family)
    times = np.array([0.1, 0.7, 1.9, 4.0])
    survival = block(family, [params], times)[0]
    back = np.exp(-curve.cumulative_hazard(times, params))
    np.testing.assert_allclose(back, survival, rtol=1e-13)
    step = 1e-5
    rise = curve.cumulative_hazard(times + step, params) - curve.cumulative_hazard(
        times - step, params
    )
    hazard = curve.hazard(times, params)
    np.testing.assert_allclose(hazard, rise / (2 * step), rtol=1e-5, atol=1e-99)


def test_cumulative_hazard_beyond_the_smallest_double() -> None:
    # S underflows in all of these
    assert CURVES["exponential"].cumulative_hazard(1e4, (1.0,)) == 1e4
    # lognormal: Mills' ratio, -ln S = w²/2 + ln(w sqrt(2 pi)) + 1/w² - …
    w = 60.0
    asymptote = w**2 / 2 + math.log(w * math.sqrt(2 * math.pi)) + w**-2 - 2.5 * w**-4
    assert CURVES["lognormal"].cumulative_hazard(math.exp(6.0), (0.0, 0.1)) == pytest.approx(
        asymptote, rel=1e-11
    )
    # Erlang of shape 2: H = x - ln(1 + x)
    erlang = 5000 - math.log1p(5000)
    assert CURVES["gamma"].cumulative_hazard(5000.0, (2.0, 1.0)) == pytest.approx(erlang, rel=1e-14)
    q = math.sqrt(0.5)
    time = math.exp(math.log(2500) / q)
    assert CURVES["gengamma"].cumulative_hazard(time, (0.0, 1.0, q)) == pytest.approx(
        erlang, rel=1e-12
    )


@pytest.mark.parametrize(("family", "params"), CASES)
def test_quantile_inverts_survival(family: str, params: tuple[float, ...]) -> None:
    curve = family_called(family)
    failed = np.array([1e-9, 0.01, 0.3, 0.5, 0.7, 0.99])
    times = curve.quantile(failed, params)
    reachable = np.isfinite(times)
    back = -np.expm1(curve.log_survival(times[reachable], params))
    np.testing.assert_allclose(back, failed[reachable], rtol=1e-10)
    assert curve.median(params) == curve.quantile(0.5, params)
    assert reachable.all() or (family, params) == ("gompertz", (-0.4, 0.5))


def test_quantile_of_nobody_and_everybody() -> None:
    for family, params in CASES:
        assert family_called(family).quantile(0.0, params) == 0.0
        assert family_called(family).quantile(1.0, params) == np.inf


def test_some_never_have_the_event_under_a_falling_gompertz() -> None:
    # S tends to exp(-0.5/0.4) = 0.2865
    curve, params = CURVES["gompertz"], (-0.4, 0.5)
    left = math.exp(-0.5 / 0.4)
    assert curve.quantile(1 - left + 1e-9, params) == np.inf
    assert curve.quantile(1 - left - 1e-9, params) < 60
    assert curve.restricted_mean(params, 1e5) == pytest.approx(1e5 * left, rel=1e-4)


@pytest.mark.parametrize(("family", "params"), CASES)
@pytest.mark.parametrize("horizon", [0.02, 3.0, 40.0])
def test_restricted_mean_is_the_area(
    family: str, params: tuple[float, ...], horizon: float
) -> None:
    curve = family_called(family)

    def curve_in_log_time(x: float) -> float:
        return math.exp(x) * float(np.exp(curve.log_survival(math.exp(x), params)))

    ends = [math.log(horizon) - width for width in (45.0, 12.0, 6.0, 3.0, 1.5, 0.7, 0.3, 0.0)]
    area = sum(
        integrate.quad(curve_in_log_time, left, right, epsabs=1e-15, epsrel=1e-13)[0]
        for left, right in pairwise(ends)
    )
    assert curve.restricted_mean(params, horizon) == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize("family", SETS)
def test_closed_restricted_means_equal_the_quadrature(family: str) -> None:
    curve = family_called(family)
    for params in SETS[family]:
        for horizon in (0.5, 20.0):
            area = curve._area([np.float64(value) for value in params], horizon)
            assert curve.restricted_mean(params, horizon) == pytest.approx(area, rel=1e-12)


def test_restricted_mean_by_hand() -> None:
    # log-logistic of shape 1: scale ln(1 + horizon/scale)
    assert CURVES["loglogistic"].restricted_mean((1.0, 2.0), 6.0) == pytest.approx(
        2 * math.log(4), rel=1e-14
    )
    # shape 2: scale arctan(horizon/scale)
    assert CURVES["loglogistic"].restricted_mean((2.0, 2.0), 6.0) == pytest.approx(
        2 * math.atan(3), rel=1e-14
    )
    # Gompertz by the exponential integral
    a, b, horizon = 0.2, 0.1, 12.0
    exact = (
        math.exp(b / a) / a * (special.exp1(b / a) - special.exp1(b / a * math.exp(a * horizon)))
    )
    assert CURVES["gompertz"].restricted_mean((a, b), horizon) == pytest.approx(exact, rel=1e-13)
    assert CURVES["gengamma"].restricted_mean((0.6, 0.8, 1.0), 5.0) == pytest.approx(
        CURVES["weibull"].restricted_mean((1 / 0.8, math.exp(0.6)), 5.0), rel=1e-13
    )
    for family, params in CASES:
        assert family_called(family).restricted_mean(params, 0.0) == 0.0


def test_helpers_broadcast() -> None:
    shapes, times = np.array([[0.5], [1.5]]), np.array([1.0, 2.0, 3.0])
    for family in ("weibull", "loglogistic"):
        curve = family_called(family)
        for function in (curve.hazard, curve.cumulative_hazard):
            table = function(times, (shapes, 2.0))
            assert table.shape == (2, 3)
            assert table[1, 2] == function(3.0, (1.5, 2.0))
        assert curve.restricted_mean((shapes, 2.0), times).shape == (2, 3)
        assert curve.median((shapes[:, 0], 2.0)).shape == (2,)
        assert np.ndim(curve.median((1.5, 2.0))) == 0


def test_formula_texts() -> None:
    def text(family: str) -> str:
        cells = ["$B$1", "$C$1", "$D$1"][: len(FAMILIES[family])]
        return family_called(family).excel(cells, "A2")

    assert text("exponential") == "IF(A2<=0,1,EXP(-($B$1*A2)))"
    assert text("weibull") == "IF(A2<=0,1,EXP(-EXP(MIN(700,$B$1*LN(A2/$C$1)))))"
    assert text("loglogistic") == "IF(A2<=0,1,1/(1+EXP(MIN(700,$B$1*LN(A2/$C$1)))))"
    assert text("lognormal") == "IF(A2<=0,1,NORMSDIST(($B$1-LN(A2))/$C$1))"
    assert text("gamma") == "IF(A2<=0,1,1-GAMMADIST(A2,$B$1,1/$C$1,TRUE))"


def test_formula_operands_that_are_expressions_get_brackets() -> None:
    text = CURVES["exponential"].excel(["rate_a+0.1"], "A2-1")
    assert text == "IF((A2-1)<=0,1,EXP(-((rate_a+0.1)*(A2-1))))"
    assert "('Inputs'!$B$2)" not in CURVES["exponential"].excel(["'Inputs'!$B$2"], "A2")


@pytest.mark.parametrize("family", SETS)
def test_formulas_use_only_old_functions_and_no_minus_before_a_power(family: str) -> None:
    curve = family_called(family)
    text = curve.excel([f"p_{place}_" for place in range(len(curve.parameters))], "t_now")
    used = set(re.findall(r"[A-Z]+(?=\()", text))
    assert used <= {"IF", "ABS", "MIN", "EXP", "LN", "SQRT", "PI", "NORMSDIST", "GAMMADIST"} | {
        *("MAX", "BETADIST")
    }
    # -x^2 is (-x)^2 in a spreadsheet: a power may only follow a product that starts with a number
    assert not re.search(r"-[A-Za-z_.$]+\^|-\([^()]*\)\^", text)
    assert text.count("(") == text.count(")")
    assert len(text) < 2000


def kaplan_meier(**changes: Any) -> KaplanMeier:
    values: dict[str, Any] = {
        "strategy": "a",
        "endpoint": "os",
        "group": "all",
        "time": np.array([0.0, 3.0, 12.0]),
        "survival": np.array([1.0, 0.7, 0.4]),
        "at_risk": np.full(3, np.nan),
        "events": np.full(3, np.nan),
        "time_unit": "week",
        "source": "trial",
    }
    return KaplanMeier(**(values | changes))


def test_kaplan_meier_steps_are_right_continuous() -> None:
    times = np.array([[0.0, 2.999, 3.0], [11.9, 12.0, 500.0]])
    expected = [[1.0, 1.0, 0.7], [0.7, 0.4, 0.4]]
    assert np.array_equal(step_survival(kaplan_meier(), times), expected)
    assert step_survival(kaplan_meier(), 3.5) == 0.7


def test_every_week_falls_on_its_step() -> None:
    # boundaries k·7/365.25 years times 365.25/7 are not all whole numbers
    weeks = np.arange(1, 2000)
    table = kaplan_meier(time=np.arange(0.0, 2000.0), survival=np.linspace(1, 0, 2000))
    boundaries = weeks * (7 / 365.25) * (365.25 / 7)
    assert (boundaries < weeks).any()
    assert np.array_equal(step_survival(table, boundaries), table.survival[1:])


def test_step_formula() -> None:
    assert step_excel("A2", "$F$2:$F$9", "$G$2:$G$9") == (
        "LOOKUP(A2*(1+1E-09),$F$2:$F$9,$G$2:$G$9)"
    )
