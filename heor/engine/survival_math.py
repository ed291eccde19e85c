"""Special functions behind the survival families (methods 2): tails, small |Q|, quadrature."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from heor.spec.parameters import FloatArray

#: From this order on Stirling's series serves, with the coefficients of 1/a, 1/a³, ….
_STIRLING_FROM = 16.0
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))

#: Most steps of the continued fraction of the incomplete beta function.
_MOST_FRACTIONS = 2000

#: Below this |Q| the generalised gamma is computed by Temme's expansion: the incomplete gamma
#: function of order 1/Q² would be inexact (Python) or fail to converge (spreadsheets).
SMALL_Q = 0.01

#: Below this an argument or an incomplete gamma value is handled through its logarithm.
_TINY = 1e-260

# With y = Qw: z/w and the three terms c_k of the correction, in powers of y, lowest first. They
# follow from eta²/2 = e^y - 1 - y, eta = Qz, and c_k(eta) of https://dlmf.nist.gov/8.12.
_STRETCH = (
    1.0,
    1 / 6,
    1 / 36,
    1 / 270,
    1 / 2592,
    17 / 544320,
    11 / 5443200,
    1 / 8164800,
    1 / 111974400,
)
_C0 = (-1 / 3, 1 / 12, -1 / 1080, -19 / 12960, 1 / 181440, 47 / 1360800, 1 / 32659200)
_C1 = (-1 / 540, -1 / 288, 25 / 12096, -223 / 1088640, -89 / 1088640)
_C2 = (25 / 6048, -139 / 51840, 101 / 311040)

#: |y| up to which the power series above serve; beyond it the closed forms lose nothing.
_SERIES_REACH = 0.1


def polynomial(coefficients: tuple[float, ...], x: FloatArray) -> FloatArray:
    """Evaluate a polynomial, lowest power first, at each element of ``x``."""
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value *= x
        value += coefficient
    return value


def small_q(w: FloatArray, q: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    """Normal deviate and correction of a generalised gamma with |Q| < `SMALL_Q`.

    With ``y = Qw`` and ``z = w sqrt(2(e^y - 1 - y))/|y|``,
    ``S = Φ(-z) + φ(z) Q [c_0(y) + Q² c_1(y) + Q⁴ c_2(y)]`` for either sign of Q. Its first order
    in Q is ``Φ(-w) - Qφ(w)(w² + 2)/6``.

    Parameters
    ----------
    w : array
        ``(ln t - mu)/sigma``; infinite values are allowed.
    q : array or float
        Q, broadcast against ``w``.

    Returns
    -------
    tuple of arrays
        ``z`` and the factor of ``φ(z)``.

    References
    ----------
    Temme's uniform expansion, https://dlmf.nist.gov/8.12.
    """
    w = np.clip(w, -1e8, 1e8)
    y = q * w
    z = w * polynomial(_STRETCH, y)
    q2 = np.square(q)
    series = polynomial(_C0, y) + q2 * (polynomial(_C1, y) + q2 * polynomial(_C2, y))
    far = np.abs(y) > _SERIES_REACH
    if far.any():
        growth = np.expm1(y[far])
        eta = np.copysign(np.sqrt(2.0 * (growth - y[far])), y[far])
        q_far = np.broadcast_to(np.asarray(q), y.shape)[far]
        z[far] = eta / q_far
        inverse = 1.0 / growth
        c0 = inverse - 1.0 / eta
        c1 = eta**-3 - inverse * (1.0 / 12.0 + inverse * (1.0 + inverse))
        c2 = polynomial(_C2, y[far])
        series[far] = c0 + np.square(q_far) * (c1 + np.square(q_far) * c2)
    return z, q * series


def small_q_survival(w: FloatArray, q: float) -> FloatArray:
    """S of a generalised gamma with |Q| < `SMALL_Q` at the deviates ``w``, of the same shape."""
    z, correction = small_q(w, q)
    density = np.exp(-0.5 * np.square(z)) / np.sqrt(2.0 * np.pi)
    # rounding may leave the last bit outside 0..1
    survival: FloatArray = np.clip(special.ndtr(-z) + density * correction, 0.0, 1.0)
    return survival


def small_q_log_survival(w: FloatArray, q: FloatArray) -> FloatArray:
    """Return ln S of a generalised gamma with |Q| < `SMALL_Q`, accurate in both tails."""
    z, correction = small_q(w, q)
    return special.log_ndtr(-z) + np.log1p(correction * normal_hazard(z))


def small_q_hazard(w: FloatArray, q: FloatArray) -> FloatArray:
    """Hazard of ``w`` for a generalised gamma with |Q| < `SMALL_Q`."""
    z, correction = small_q(w, q)
    # the density of w is φ(z) times Stirling's remainder of Γ(1/Q²)
    return np.exp(q**6 / 360.0 - np.square(q) / 12.0) / (1.0 / normal_hazard(z) + correction)


def normal_hazard(z: FloatArray) -> FloatArray:
    """φ(z)/Φ(-z)."""
    hazard: FloatArray = np.sqrt(2.0 / np.pi) / special.erfcx(z / np.sqrt(2.0))
    return hazard


def small_q_quantile(failed: FloatArray, q: FloatArray) -> FloatArray:
    """Deviate w by which the share ``failed`` has had the event, for |Q| < `SMALL_Q`."""
    # the lower tail of Q is the upper tail of -Q, so Newton's method runs on ln S alone
    side = np.where(failed < 0.5, -1.0, 1.0)
    tail = np.minimum(failed, 1.0 - failed)
    target = np.log(tail)
    v = -special.ndtri(tail)
    for _ in range(8):
        log_s = small_q_log_survival(v, side * q)
        v = v + (log_s - target) / small_q_hazard(v, side * q)
    return side * np.where(tail > 0.0, v, np.inf)


def gamma_lower(a: FloatArray, y: FloatArray) -> FloatArray:
    """P(a, a e^y), also where ``e^y`` is too small for a double but its power a is not."""
    x = a * np.exp(y)
    tiny = x < _TINY
    value: FloatArray = special.gammainc(a, x)
    return np.where(tiny, _leading_term(a, y), value) if tiny.any() else value


def gamma_upper(a: FloatArray, y: FloatArray) -> FloatArray:
    """Q(a, a e^y), with the same reach as `gamma_lower`."""
    x = a * np.exp(y)
    tiny = x < _TINY
    value: FloatArray = special.gammaincc(a, x)
    return np.where(tiny, 1.0 - _leading_term(a, y), value) if tiny.any() else value


def _leading_term(a: FloatArray, y: FloatArray) -> FloatArray:
    """P(a, x) of a vanishing x = a e^y: ``x^a / Γ(a + 1)``."""
    return np.exp(a * (y + np.log(a)) - special.gammaln(a + 1.0))


def log_gamma_upper(a: FloatArray, y: FloatArray) -> FloatArray:
    """Return ln Q(a, a e^y), accurate near 0 and far below the logarithm of any double."""
    upper = gamma_upper(a, y)
    value = np.log(upper)
    early = upper > 0.5
    value[early] = np.log1p(-gamma_lower(a[early], y[early]))
    far = (upper < _TINY) & np.isfinite(np.exp(y))
    if far.any():
        fraction = _continued_fraction(a[far], a[far] * np.exp(y[far]))
        value[far] = _log_weight(a[far], y[far]) + np.log(fraction)
    return value


def log_gamma_lower(a: FloatArray, y: FloatArray) -> FloatArray:
    """Return ln P(a, a e^y), with the same reach as `log_gamma_upper`."""
    lower = gamma_lower(a, y)
    value = np.log(lower)
    early = lower > 0.5
    value[early] = np.log1p(-gamma_upper(a[early], y[early]))
    far = lower < _TINY
    if far.any():
        series = _power_series(a[far], a[far] * np.exp(y[far]))
        value[far] = _log_weight(a[far], y[far]) + np.log(series / a[far])
    return value


def gamma_hazard_upper(a: FloatArray, y: FloatArray) -> FloatArray:
    """``x^a e^-x / Γ(a, x)`` at x = a e^y: the hazard of y where S = Q(a, x)."""
    upper = gamma_upper(a, y)
    value = np.exp(_log_weight(a, y)) / upper
    far = upper < _TINY
    if far.any():
        value[far] = 1.0 / _continued_fraction(a[far], a[far] * np.exp(y[far]))
    return value


def gamma_hazard_lower(a: FloatArray, y: FloatArray) -> FloatArray:
    """``x^a e^-x / γ(a, x)`` at x = a e^y: the hazard of -y where S = P(a, x)."""
    lower = gamma_lower(a, y)
    value = np.exp(_log_weight(a, y)) / lower
    far = lower < _TINY
    if far.any():
        value[far] = a[far] / _power_series(a[far], a[far] * np.exp(y[far]))
    return value


def _log_weight(a: FloatArray, y: FloatArray) -> FloatArray:
    """``ln(x^a e^-x / Γ(a))`` at x = a e^y, without the cancellation of its parts for large a."""
    exact = a * np.log(a) - a - special.gammaln(a)
    inverse = 1.0 / a
    rest = inverse * (1 / 12 - np.square(inverse) * (1 / 360 - np.square(inverse) / 1260))
    stirling = 0.5 * np.log(a / (2.0 * np.pi)) - rest
    return a * (y - np.expm1(y)) + np.where(a > 100.0, stirling, exact)


def log_gamma_lower_inverse(a: FloatArray, p: FloatArray) -> FloatArray:
    """Return the y with P(a, a e^y) = p, also where e^y underflows."""
    return _log_ratio(a, special.gammaincinv(a, p), np.log(p))


def log_gamma_upper_inverse(a: FloatArray, p: FloatArray) -> FloatArray:
    """Return the y with Q(a, a e^y) = p, also where e^y underflows."""
    return _log_ratio(a, special.gammainccinv(a, p), np.log1p(-p))


def _log_ratio(a: FloatArray, x: FloatArray, log_lower: FloatArray) -> FloatArray:
    """``ln(x/a)``; a tiny x is found again from ``log_lower`` = ln P(a, x)."""
    tiny = (log_lower + special.gammaln(a + 1.0)) / a
    return np.where(x < _TINY, tiny, np.log(x)) - np.log(a)


def _continued_fraction(a: FloatArray, x: FloatArray) -> FloatArray:
    """``Γ(a, x) e^x x^-a`` by Lentz's continued fraction, for x well above a."""
    b = x + 1.0 - a
    c = np.full_like(b, 1e300)
    d = 1.0 / b
    value = d.copy()
    for n in range(1, 2000):
        numerator = -n * (n - a)
        b = b + 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        step = c * d
        value *= step
        if not np.any(np.abs(step - 1.0) > 4e-16):  # NaN is done too
            break
    return value


def _power_series(a: FloatArray, x: FloatArray) -> FloatArray:
    """``1 + x/(a+1) + x²/((a+1)(a+2)) + …``, for x well below a."""
    term = np.ones_like(x)
    value = term.copy()
    for n in range(1, 2000):
        term = term * x / (a + n)
        value += term
        if not np.any(term >= 1e-17 * value):
            break
    return value


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def area_under(
    survival: Callable[[FloatArray], FloatArray],
    landmarks: FloatArray,
    median: float,
    horizon: float,
) -> float:
    """Integral of S from 0 to ``horizon`` by Gauss-Legendre panels in ln t.

    Parameters
    ----------
    survival : callable
        S at an array of times.
    landmarks : array
        Rising times between which S is smooth: quantiles of the curve (inf is allowed).
    median : float
        Median survival, which sets how near to 0 the panels begin; may be inf.
    horizon : float
        Upper limit, above 0, in the unit of the times.

    Returns
    -------
    float
        The area, in the unit of the times.
    """
    start = min(median, horizon) * 1e-18
    inner = landmarks[(landmarks > start) & (landmarks < horizon)]
    ends = np.log(np.concatenate(([start], inner, [horizon])))
    points = [
        np.linspace(left, right, 1 + max(1, int(np.ceil(right - left))))
        for left, right in pairwise(ends)
    ]
    edges = np.unique(np.concatenate(points))
    half = 0.5 * np.diff(edges)[:, None]
    times = np.exp(edges[:-1, None] + half * (1.0 + _NODES))
    panels = np.einsum("ij,j->i", half * times * survival(times), _WEIGHTS)
    return start + float(panels.sum())


def log_beta_lower(a: FloatArray, b: FloatArray, log_x: FloatArray) -> FloatArray:
    """Logarithm of I_x(a, b) in its lower tail, x < a/(a + b), also where it underflows.

    The continued fraction of DLMF 8.17.22 by Lentz' method; arrays of one shape.
    """
    x = np.exp(log_x)
    top = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value, bottom = top, np.ones_like(x)
    for m in range(1, _MOST_FRACTIONS):
        before = value
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            top = 1.0 / (1.0 + numerator * top)
            bottom = 1.0 + numerator / bottom
            value = value * top * bottom
        if np.all(np.abs(value - before) <= 1e-15 * np.abs(value)):
            break
    front = a * log_x + b * np.log1p(-x) - np.log(a) - special.betaln(a, b)
    return front + np.log(value)


def stirling_rest(a: FloatArray) -> FloatArray:
    """What Stirling's formula leaves of ln Γ(a): ln Γ(a) - (a - 1/2) ln a + a - ln(2π)/2."""
    inverse = 1.0 / np.maximum(a, _STIRLING_FROM)
    series = inverse * polynomial(_STIRLING, inverse * inverse)
    below = np.minimum(a, _STIRLING_FROM)
    exact = special.gammaln(below) - (below - 0.5) * np.log(below) + below - _HALF_LOG_2PI
    rest: FloatArray = np.where(a > _STIRLING_FROM, series, exact)
    return rest
