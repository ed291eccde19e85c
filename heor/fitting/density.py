"""Log densities in closed form: the part of a likelihood that events seen contribute.

A survival function may need an incomplete gamma or beta function; its density never does. So only
censored subjects pay for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import special

from heor.engine.survival_family import Family
from heor.engine.survival_flexible import GeneralisedF, Spline
from heor.spec.parameters import FloatArray

_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))

#: From this order on Stirling's series of ln Γ serves, and is exact to the last bit.
_STIRLING_FROM = 16.0

#: Coefficients of 1/a, 1/a³, … in ln Γ(a) - (a - 1/2) ln a + a - ln(2π)/2.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)

#: Below this |y| the series of (e^y - 1 - y)/y² serves, with as many terms as a double sees.
_SERIES_REACH, _SERIES_TERMS = 0.3, 14


def log_density(
    family: Family, time: FloatArray, log_time: FloatArray, params: Sequence[FloatArray]
) -> FloatArray:
    """Give ln f at times above 0; broadcasts.

    Parameters
    ----------
    family : Family
    time, log_time : array ``(subject,)``
    params : sequence of array
        One number or one per subject each, in the order of the family, knots of a spline included.
    """
    if isinstance(family, Spline):
        return _spline(family, log_time, params)
    if isinstance(family, GeneralisedF):
        return family.log_density(time, *params)
    return _BY_NAME[family.name](time, log_time, *params)


def _exponential(time: FloatArray, _: FloatArray, rate: FloatArray) -> FloatArray:
    total: FloatArray = np.log(rate) - rate * time
    return total


def _weibull(_: FloatArray, at: FloatArray, shape: FloatArray, scale: FloatArray) -> FloatArray:
    z = shape * (at - np.log(scale))
    total: FloatArray = np.log(shape) - at + z - np.exp(z)
    return total


def _gompertz(time: FloatArray, _: FloatArray, shape: FloatArray, rate: FloatArray) -> FloatArray:
    growth = special.exprel(shape * time) * time
    total: FloatArray = np.log(rate) + shape * time - rate * growth
    return total


def _gamma(time: FloatArray, at: FloatArray, shape: FloatArray, rate: FloatArray) -> FloatArray:
    level = shape * np.log(rate) - special.gammaln(shape)
    total: FloatArray = level + (shape - 1.0) * at - rate * time
    return total


def _lognormal(_: FloatArray, at: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
    w = (at - mean) / sd
    total: FloatArray = -_HALF_LOG_2PI - np.log(sd) - at - 0.5 * w * w
    return total


def _loglogistic(_: FloatArray, at: FloatArray, shape: FloatArray, scale: FloatArray) -> FloatArray:
    z = shape * (at - np.log(scale))
    total: FloatArray = np.log(shape) - at + special.log_expit(z) + special.log_expit(-z)
    return total


def _gengamma(
    _: FloatArray, at: FloatArray, mu: FloatArray, sigma: FloatArray, q: FloatArray
) -> FloatArray:
    w = (at - mu) / sigma
    level = -_HALF_LOG_2PI - _stirling_rest(q * q)
    total: FloatArray = level - np.log(sigma) - at - w * w * _bend(q * w)
    return total


def _stirling_rest(inverse: FloatArray) -> FloatArray:
    """Give ln Γ(a) less its leading terms, a = 1/inverse; 0 where a is infinite."""
    square = inverse * inverse
    series = np.zeros_like(square)
    for coefficient in reversed(_STIRLING):
        series = series * square + coefficient
    a = 1.0 / np.maximum(inverse, 1.0 / _STIRLING_FROM / 2)
    direct = special.gammaln(a) - ((a - 0.5) * np.log(a) - a + _HALF_LOG_2PI)
    rest: FloatArray = np.where(inverse * _STIRLING_FROM > 1.0, direct, inverse * series)
    return rest


def _bend(y: FloatArray) -> FloatArray:
    """(e^y - 1 - y)/y², 1/2 at 0."""
    near = np.clip(y, -_SERIES_REACH, _SERIES_REACH)
    series = np.zeros_like(near)
    for power in range(_SERIES_TERMS, 1, -1):
        series = (series * near + 1.0) / (power + 1.0)
    series = (series * near + 1.0) / 2.0
    far = np.where(np.abs(y) > _SERIES_REACH, y, 1.0)
    closed = (np.expm1(far) - far) / (far * far)
    result: FloatArray = np.where(np.abs(y) > _SERIES_REACH, closed, series)
    return result


def _spline(family: Spline, at: FloatArray, params: Sequence[FloatArray]) -> FloatArray:
    eta, slope = family.linear(at, params), family.slope(at, params)
    if family.scale == "hazard":
        inner = eta - np.exp(eta)
    elif family.scale == "odds":
        inner = special.log_expit(eta) + special.log_expit(-eta)
    else:
        inner = -_HALF_LOG_2PI - 0.5 * eta * eta
    total: FloatArray = inner + np.log(slope) - at
    return total


_BY_NAME: Mapping[str, Callable[..., FloatArray]] = {
    "exponential": _exponential,
    "weibull": _weibull,
    "gompertz": _gompertz,
    "gamma": _gamma,
    "lognormal": _lognormal,
    "loglogistic": _loglogistic,
    "gengamma": _gengamma,
}
