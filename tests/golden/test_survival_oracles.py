"""Survival families against flexsurv's predictions and against mpmath at 50 digits."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from family_numbers import family_called
from survival_reference import survival_and_density

from heor.engine.survival import CURVES

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "survival_flexsurv.json").read_text(encoding="utf-8")
)
FITS = ORACLE["fits"]

#: Shares failed at which the curves are compared, besides fixed times.
SHARES = np.array([1e-12, 1e-6, 1e-3, 0.03, 0.2, 0.5, 0.8, 0.97, 0.999, 1 - 1e-6, 1 - 1e-12])
TIMES = np.array([1e-3, 0.02, 0.2, 0.5, 1.0, 10.0, 100.0, 1e4])

GRIDS: dict[str, list[tuple[float, ...]]] = {
    "exponential": [(rate,) for rate in (1e-6, 1e-3, 0.05, 1.0, 20.0)],
    "weibull": list(product((0.05, 0.3, 0.9, 1.0, 1.5, 4.0, 30.0), (1e-2, 1.0, 400.0))),
    "gompertz": list(
        product(
            (-2.0, -0.3, -1e-3, -1e-8, -1e-20, 0.0, 1e-300, 1e-12, 1e-4, 0.1, 1.0, 5.0),
            (1e-6, 0.01, 0.3, 3.0),
        )
    ),
    "loglogistic": list(product((0.05, 0.3, 0.9, 1.0, 1.5, 4.0, 30.0), (1e-2, 1.0, 400.0))),
    "lognormal": list(product((-4.0, 0.3, 7.0), (0.05, 0.3, 1.0, 3.0))),
    "gamma": list(product((0.01, 0.3, 1.0, 2.5, 20.0, 200.0, 3000.0), (1e-3, 1.0, 15.0))),
    "gengamma": [
        *product((0.3,), (0.7,), (-20, -8, -4.1, -3.9, -1, -0.3, -0.05, -0.0301)),
        *product((0.3,), (0.7,), (0, 0.0301, 0.1, 0.5, 1, 2, 3.9, 4.1, 20)),
        *product((5.0,), (0.05, 2.5), (-3, -0.3, 0.1, 1, 3)),
    ],
    "genf": [
        *product((0.3,), (0.7,), (-3.0, -0.3, 0.0, 0.3, 1.0, 3.0), (1e-2, 0.3, 2.0, 20.0)),
        *product((5.0,), (0.05, 2.5), (-1.0, 0.2), (0.1, 1.0)),
    ],
    "spline hazard 2": [(-0.8, 1.2, -2.0, 1.5), (-4.0, 3.0, -1.0, 1.0)],
    "spline hazard 3": [(-0.8, 1.2, 0.05, -2.0, 0.3, 1.5), (-9.0, 1.6, -0.04, 2.0, 4.4, 6.9)],
    "spline odds 4": [(-0.5, 1.5, 0.06, -0.05, -2.0, -0.2, 0.7, 1.9)],
    "spline normal 3": [(-0.4, 0.9, 0.03, -2.0, 0.3, 1.5), (-4.0, 0.8, -0.01, 2.0, 4.4, 6.9)],
    "spline hazard 7": [
        (-0.7, 1.1, 0.04, -0.05, 0.03, -0.02, 0.03, -2.5, -1.0, -0.3, 0.2, 0.8, 1.4, 2.2)
    ],
}

#: Where the incomplete beta function has parameters of the order of 1/P.
SMALL_P = (*product((-1.0, -0.01, 0.3), (1e-9, 1e-4)), (0.0, 1e-6), (3.0, 1e-6))

#: Where the incomplete gamma function of order 1/Q² is of no use (methods 2).
SMALL_Q = (-0.025, -0.0099, -6e-5, -4e-6, 1e-12, 6e-6, 1e-3, 0.0099, 0.0101)


def survival(family: str, params: tuple[float, ...], times: np.ndarray) -> np.ndarray:
    columns = [np.array([[float(value)]]) for value in params]
    curve = family_called(family)
    log_times = np.log(times) if curve.uses_log_time else None
    at = None if curve.uses_log_time else times
    return curve.survival(at, log_times, columns, np.empty((1, len(times))))[0]


def times_of(family: str, params: tuple[float, ...], shares: np.ndarray) -> np.ndarray:
    times = np.concatenate((family_called(family).quantile(shares, params), TIMES))
    return times[(times > 1e-200) & (times < 1e200)]


@pytest.mark.parametrize("fit", FITS, ids=lambda f: f"{f['data']}{f['group']}-{f['family']}")
def test_agrees_with_flexsurv(fit: dict[str, Any]) -> None:
    family = CURVES[fit["family"]]
    params = tuple(fit["parameters"][name] for name in family.parameters)
    times = np.array(fit["time"], dtype=float)
    np.testing.assert_allclose(
        survival(fit["family"], params, times), fit["survival"], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(family.hazard(times, params), fit["hazard"], rtol=1e-11)
    assert family.median(params) == pytest.approx(fit["median"], rel=1e-9)
    # R's integrate() gave these areas, to about 1e-7; the unit tests hold ours to 1e-12
    assert family.restricted_mean(params, fit["horizon"]) == pytest.approx(fit["rmst"], rel=2e-7)


def check_against_mpmath(
    family: str,
    params: tuple[float, ...],
    times: np.ndarray,
    *,
    relative: float,
    close: float = 1e-14,
) -> None:
    curve = family_called(family)
    columns = zip(
        times,
        survival(family, params, times),
        curve.cumulative_hazard(times, params),
        curve.hazard(times, params),
        strict=True,
    )
    with mp.workdps(110):
        for time, ours, total, rate in columns:
            exact, density = survival_and_density(family, params, float(time))
            where = f"{family}{params} at {time}"
            assert abs(mp.mpf(float(ours)) - exact) < close, where
            if 0 < exact < 1 - mp.mpf(10) ** -50 and np.isfinite(total):
                hazards = -mp.log(exact)
                assert abs(mp.mpf(float(total)) - hazards) <= relative * hazards, where
            if exact > mp.mpf(10) ** -10000 and 1e-300 < density / exact < 1e300:
                hazard = density / exact
                assert abs(mp.mpf(float(rate)) - hazard) <= relative * hazard, where


@pytest.mark.parametrize("family", GRIDS)
def test_agrees_with_mpmath(family: str) -> None:
    for params in GRIDS[family]:
        times = times_of(family, params, SHARES)
        check_against_mpmath(family, params, times, relative=2e-11)


@pytest.mark.parametrize("q", SMALL_Q)
def test_small_q_agrees_with_mpmath(q: float) -> None:
    shares = np.array([1e-9, 0.05, 0.5, 0.9, 1 - 1e-9])
    params = (0.3, 0.7, q)
    # e^(0.3 + 0.7 w) with w = ±12.5 and 35: beyond the series, where only the logarithm is left
    far = np.exp(0.3 + 0.7 * np.array([-12.5, 12.5, 35.0]))
    times = np.concatenate((CURVES["gengamma"].quantile(shares, params), far))
    check_against_mpmath("gengamma", params, times, relative=1e-11)


@pytest.mark.parametrize(("q", "p"), SMALL_P)
def test_small_p_agrees_with_mpmath(q: float, p: float) -> None:
    """The arguments of the incomplete beta function lose digits in proportion to 1/δ."""
    params, shares = (0.3, 0.7, q, p), np.array([1e-9, 0.05, 0.5, 0.9, 1 - 1e-9])
    lost = 1e-15 / math.sqrt(q * q + 2 * p)
    times = CURVES["genf"].quantile(shares, params)
    check_against_mpmath("genf", params, times, relative=1e-12 + 60 * lost, close=1e-14 + 20 * lost)


def test_lower_tail_beyond_the_smallest_double() -> None:
    """For Q < 0 the tail is P(1/Q², u) of a vanishing u."""
    params = (0.3, 0.7, -0.1)
    times = np.exp(0.3 + 0.7 * np.array([60.0, 100.0, 150.0]))
    assert survival("gengamma", params, times)[1] == 0.0
    check_against_mpmath("gengamma", params, times, relative=1e-13)
