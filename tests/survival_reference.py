"""Survival, hazard and mean of every family at 50 digits, written from the definitions.

Arguments are the doubles that the code under test is given, taken as exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

DIGITS = 50

#: |Q| of a generalised gamma below which its density is integrated.
_QUADRATURE_BELOW = 0.03

#: Parameters of an incomplete beta function above which its density is integrated.
_SERIES_BELOW = 300

#: P of a generalised F below which no more digits than `DIGITS` are kept.
_SMALL_P = 1e-3


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


def _genf(t, mu, sigma, q, p):
    delta = mp.sqrt(q * q + 2 * p)
    s1, s2 = 2 / (delta**2 + q * delta), 2 / (delta**2 - q * delta)
    w = (mp.log(t) - mu) / sigma
    constant = mp.log(delta) - mp.loggamma(s1) - mp.loggamma(s2) + mp.loggamma(s1 + s2)

    def log_density(w):
        odds = delta * w + mp.log(s1 / s2)
        return constant + s1 * odds - (s1 + s2) * mp.log1p(mp.exp(odds))

    if max(s1, s2) < _SERIES_BELOW:
        odds = s1 / s2 * mp.exp(delta * w)
        if odds > 1:
            survival = mp.betainc(s2, s1, 0, 1 / (1 + odds), regularized=True)
        else:
            survival = 1 - mp.betainc(s1, s2, 0, odds / (1 + odds), regularized=True)
    else:
        survival = _tail_to_nothing(log_density, w)
    return survival, mp.exp(log_density(w)) / (sigma * t)


def _tail_to_nothing(log_density, w):
    """Area right of w, by panels that grow until the density is e^-130 of that at w."""
    side = 1 if w >= 0 else -1
    ends, step = [w], mp.mpf(1) / 4
    while log_density(ends[-1]) > log_density(w) - 130:
        ends.append(ends[-1] + side * step)
        step *= mp.mpf("1.4")
    level = log_density(w)
    tail = mp.exp(level) * mp.quad(lambda v: mp.exp(log_density(v) - level), ends) * side
    return tail if side == 1 else 1 - tail


def _spline(scale):
    def survival(t, *params):
        gammas, knots = params[: len(params) // 2], params[len(params) // 2 :]
        x, low, high = mp.log(t), knots[0], knots[-1]
        eta, slope = gammas[0] + gammas[1] * x, gammas[1]
        for gamma, knot in zip(gammas[2:], knots[1:-1], strict=True):
            share = (high - knot) / (high - low)
            parts = ((1, knot), (-share, low), (share - 1, high))
            eta += gamma * sum(weight * max(x - at, 0) ** 3 for weight, at in parts)
            slope += gamma * sum(3 * weight * max(x - at, 0) ** 2 for weight, at in parts)
        if scale == "hazard":
            return _exp_minus(mp.exp(eta)), mp.exp(eta) * _exp_minus(mp.exp(eta)) * slope / t
        if scale == "odds":
            left = 1 / (1 + mp.exp(eta))
            return left, left * (1 - left) * slope / t
        return mp.ncdf(-eta), mp.npdf(eta) * slope / t

    return survival


_FAMILIES = {
    "exponential": lambda t, rate: (mp.exp(-rate * t), rate * mp.exp(-rate * t)),
    "weibull": _weibull,
    "gompertz": _gompertz,
    "loglogistic": _loglogistic,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "gengamma": _gengamma,
    "genf": _genf,
    **{f"spline {scale}": _spline(scale) for scale in ("hazard", "odds", "normal")},
}


def survival_and_density(family: str, params: Sequence[float], time: float):
    """S and density at ``time`` > 0 as mpmath numbers; a spline is called ``spline odds 3``."""
    if family.startswith("spline"):
        family = family.rpartition(" ")[0]
    # guard digits: where P or Q is tiny it may have been found as one minus the other
    integrated = family == "gengamma" and 0 < abs(params[2]) < _QUADRATURE_BELOW
    guard = 20 if integrated else 0 if family == "genf" and params[3] < _SMALL_P else 60
    with mp.workdps(DIGITS + guard):
        return _FAMILIES[family](mp.mpf(time), *(mp.mpf(p) for p in params))
