"""Survival, hazard and mean of every family at 50 digits, written from the definitions.

Arguments are the doubles that the code under test is given, taken as exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

DIGITS = 50

#: |Q| of a generalised gamma below which its density is integrated.
_QUADRATURE_BELOW = 0.03


def _exp_minus(h):
    """e^-h, or 0 where no number of digits below could show it (and mpmath would labour)."""
    return mp.exp(-h) if h < 10**7 else mp.mpf(0)


def _gamma_tails(a, x):
    """(P, Q), each to full relative accuracy."""
    if x < a + 1:
        # P by its power series: Σ x^n/(a+1)…(a+n)
        term = total = mp.mpf(1)
        n = 0
        while term > total * mp.eps:
            n += 1
            term = term * x / (a + n)
            total += term
        lower = mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1)) * total
        return lower, 1 - lower
    # Q by Legendre's continued fraction (Lentz)
    b = x + 1 - a
    c, d = mp.mpf(10) ** 400, 1 / b
    value = d
    n = 0
    while True:
        n += 1
        b += 2
        numerator = -n * (n - a)
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        value *= c * d
        if abs(c * d - 1) < mp.eps:
            break
    upper = mp.exp(a * mp.log(x) - x - mp.loggamma(a)) * value
    return 1 - upper, upper


def _weibull(t, shape, scale):
    h = (t / scale) ** shape
    return _exp_minus(h), shape / t * h * _exp_minus(h)


def _gompertz(t, shape, rate):
    h = rate * t if shape == 0 else rate / shape * mp.expm1(shape * t)
    return _exp_minus(h), rate * mp.exp(shape * t) * _exp_minus(h)


def _loglogistic(t, shape, scale):
    r = (t / scale) ** shape
    return 1 / (1 + r), shape / t * r / (1 + r) ** 2


def _lognormal(t, meanlog, sdlog):
    w = (mp.log(t) - meanlog) / sdlog
    return mp.erfc(w / mp.sqrt(2)) / 2, mp.npdf(w) / (sdlog * t)


def _gamma(t, shape, rate):
    _, upper = _gamma_tails(shape, rate * t)
    log_density = shape * mp.log(rate) + (shape - 1) * mp.log(t) - rate * t - mp.loggamma(shape)
    return upper, mp.exp(log_density)


def _gengamma(t, mu, sigma, q):
    if q == 0:
        return _lognormal(t, mu, sigma)
    w = (mp.log(t) - mu) / sigma
    a = q**-2
    constant = mp.log(abs(q)) + a * mp.log(a) - mp.loggamma(a)

    def density(w):
        return mp.exp(constant + a * (q * w - mp.exp(q * w)))

    if abs(q) < _QUADRATURE_BELOW:
        survival = _tail_by_quadrature(density, w)
    else:
        lower, upper = _gamma_tails(a, a * mp.exp(q * w))
        survival = upper if q > 0 else lower
    return survival, density(w) / (sigma * t)


def _tail_by_quadrature(density, w):
    """Area right of w: an order 1/Q² is too large for series, and the curve nearly normal."""
    side = 1 if w >= 0 else -1
    reach = mp.sqrt(w**2 + 500) - abs(w)  # where a normal density has fallen by e^250
    ends = [abs(w) + reach * k / 7 for k in range(8)]
    # relative to the density at w: quad() stops by absolute error
    tail = density(w) * mp.quad(lambda v: density(side * v) / density(w), ends)
    return tail if side == 1 else 1 - tail


_FAMILIES = {
    "exponential": lambda t, rate: (mp.exp(-rate * t), rate * mp.exp(-rate * t)),
    "weibull": _weibull,
    "gompertz": _gompertz,
    "loglogistic": _loglogistic,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "gengamma": _gengamma,
}


def survival_and_density(family: str, params: Sequence[float], time: float):
    """S and density at ``time`` > 0 as mpmath numbers."""
    # guard digits: where P or Q is tiny it may have been found as one minus the other
    guard = 20 if family == "gengamma" and 0 < abs(params[2]) < _QUADRATURE_BELOW else 60
    with mp.workdps(DIGITS + guard):
        return _FAMILIES[family](mp.mpf(time), *(mp.mpf(p) for p in params))
