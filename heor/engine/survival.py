"""Parametric survival families: S(t) in place for blocks of draws, and what follows from S.

`CURVES` is the registry: one entry a family, with the parameter names and scales of flexsurv
(methods 2). ``survival`` is the engine's hot path and writes into a block it is given. The other
functions (hazard, cumulative hazard, quantile, restricted mean) serve reports, fitting and tests;
they broadcast, and take times and parameters in one and the same time unit. ``excel`` gives the
formula that a spreadsheet evaluates to the same number.

Parameters outside their range (a negative shape, say) are not looked for here: the results are
then NaN or rise, and the checks of the trace name strategy and draw. `Family.positive` lists the
parameters that must be above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from heor.engine import survival_math as sm
from heor.engine.survival_family import Family, bracketed
from heor.engine.survival_flexible import GeneralisedF, Spline
from heor.spec.records import SPLINE

if TYPE_CHECKING:
    from heor.spec.parameters import FloatArray
    from heor.spec.records import Curve, KaplanMeier

#: A Gompertz shape this small changes no digit of S; the family is then exponential.
_FLAT = 1e-30

#: Above this |Q| of a generalised gamma, u = e^(Qw)/Q² may underflow where S is not yet 1 or 0.
_WIDE_Q = 4.0

#: Largest argument that formulas hand to EXP; S is 0 long before.
_LIMIT = 700

#: Times this near below a Kaplan-Meier step (relative) count as on it: weeks are not exact years.
STEP_TOLERANCE = 1e-9


class Exponential(Family):
    """S = exp(-rate t)."""

    name = "exponential"
    parameters = ("rate",)
    positive = ("rate",)
    uses_log_time = False

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        np.multiply(at, -params[0], out=out)
        np.exp(out, out=out)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        (rate,) = params
        return -rate * time

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        (rate,) = params
        return rate + 0.0 * time

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        (rate,) = params
        return -np.log1p(-failed) / rate

    def _restricted_mean(self, horizon: FloatArray, *params: FloatArray) -> FloatArray:
        return -np.expm1(-params[0] * horizon) / params[0]

    def _excel(self, *operands: str) -> str:
        rate, t = operands
        return f"EXP(-({rate}*{t}))"


class Weibull(Family):
    """S = exp(-(t/scale)^shape)."""

    name = "weibull"
    parameters = ("shape", "scale")
    positive = ("shape", "scale")
    uses_log_time = True

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        np.subtract(at, np.log(params[1]), out=out)
        np.multiply(out, params[0], out=out)
        np.exp(out, out=out)
        np.negative(out, out=out)
        np.exp(out, out=out)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        return -np.power(time / scale, shape)

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        return shape / scale * np.power(time / scale, shape - 1.0)

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        return scale * np.power(-np.log1p(-failed), 1.0 / shape)

    def _restricted_mean(self, horizon: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        lost = special.gammainc(1.0 / shape, np.power(horizon / scale, shape))
        area: FloatArray = scale * special.gamma(1.0 + 1.0 / shape) * lost
        return area

    def _excel(self, *operands: str) -> str:
        shape, scale, t = operands
        return f"EXP(-EXP(MIN({_LIMIT},{shape}*LN({t}/{scale}))))"


class Gompertz(Family):
    """S = exp(-(rate/shape)(e^(shape t) - 1)), shape of any sign; shape 0 is exponential."""

    name = "gompertz"
    parameters = ("shape", "rate")
    positive = ("rate",)
    uses_log_time = False

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        shape, rate = params
        np.multiply(at, shape, out=out)
        np.expm1(out, out=out)
        np.multiply(out, -rate / shape, out=out)
        np.exp(out, out=out)
        flat = np.flatnonzero(np.abs(np.broadcast_to(shape, (len(out), 1))) < _FLAT)
        rates = np.broadcast_to(rate, (len(out), 1))
        for row in flat:
            np.multiply(at if at.ndim == 1 else at[row], -rates[row], out=out[row])
            np.exp(out[row], out=out[row])

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        growth = np.expm1(shape * time) / shape
        return -rate * np.where(np.abs(shape) < _FLAT, time, growth)

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        return rate * np.exp(shape * time)

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        hazards = -np.log1p(-failed) / rate
        never = shape * hazards <= -1.0
        bent = np.where(never, np.inf, np.log1p(shape * hazards) / shape)
        return np.where(np.abs(shape) < _FLAT, hazards, bent)

    def _excel(self, *operands: str) -> str:
        shape, rate, t = operands
        x = f"{shape}*{t}"
        # e^x - 1 by its series where the difference would lose digits
        near = f"{t}*(1+{x}/2*(1+{x}/3*(1+{x}/4*(1+{x}/5))))"
        far = f"(EXP(MIN({_LIMIT},{x}))-1)/{shape}"
        return f"IF(ABS({x})<0.001,EXP(-({rate}*{near})),EXP(-({rate}*{far})))"


class LogLogistic(Family):
    """S = 1/(1 + (t/scale)^shape)."""

    name = "loglogistic"
    parameters = ("shape", "scale")
    positive = ("shape", "scale")
    uses_log_time = True

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        np.subtract(at, np.log(params[1]), out=out)
        np.multiply(out, params[0], out=out)
        np.exp(out, out=out)
        np.add(out, 1.0, out=out)
        np.reciprocal(out, out=out)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        return -np.logaddexp(0.0, shape * np.log(time / scale))

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        return shape / time * special.expit(shape * np.log(time / scale))

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        shape, scale = params
        return scale * np.power(failed / (1.0 - failed), 1.0 / shape)

    def _excel(self, *operands: str) -> str:
        shape, scale, t = operands
        return f"1/(1+EXP(MIN({_LIMIT},{shape}*LN({t}/{scale}))))"


class LogNormal(Family):
    """S = Φ(-(ln t - meanlog)/sdlog)."""

    name = "lognormal"
    parameters = ("meanlog", "sdlog")
    positive = ("sdlog",)
    uses_log_time = True

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        np.subtract(params[0], at, out=out)
        np.multiply(out, 1.0 / params[1], out=out)
        special.ndtr(out, out=out)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        meanlog, sdlog = params
        return special.log_ndtr((meanlog - np.log(time)) / sdlog)

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        meanlog, sdlog = params
        w = (np.log(time) - meanlog) / sdlog
        return np.where(time == 0.0, 0.0, sm.normal_hazard(w) / (sdlog * time))

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        meanlog, sdlog = params
        return np.exp(meanlog + sdlog * special.ndtri(failed))

    def _restricted_mean(self, horizon: FloatArray, *params: FloatArray) -> FloatArray:
        meanlog, sdlog = params
        w = (np.log(horizon) - meanlog) / sdlog
        died = np.exp(meanlog + 0.5 * np.square(sdlog) + special.log_ndtr(w - sdlog))
        return died + horizon * special.ndtr(-w)

    def _excel(self, *operands: str) -> str:
        meanlog, sdlog, t = operands
        return f"NORMSDIST(({meanlog}-LN({t}))/{sdlog})"


class Gamma(Family):
    """S = Q(shape, rate t), the regularised upper incomplete gamma function."""

    name = "gamma"
    parameters = ("shape", "rate")
    positive = ("shape", "rate")
    uses_log_time = False

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        np.multiply(at, params[1], out=out)
        special.gammaincc(params[0], out, out=out)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        return sm.log_gamma_upper(shape, np.log(rate * time / shape))

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        return sm.gamma_hazard_upper(shape, np.log(rate * time / shape)) / time

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        return shape / rate * np.exp(sm.log_gamma_lower_inverse(shape, failed))

    def _restricted_mean(self, horizon: FloatArray, *params: FloatArray) -> FloatArray:
        shape, rate = params
        x = rate * horizon
        died = shape / rate * special.gammainc(shape + 1.0, x)
        return died + horizon * special.gammaincc(shape, x)

    def _excel(self, *operands: str) -> str:
        shape, rate, t = operands
        return f"1-GAMMADIST({t},{shape},1/{rate},TRUE)"


class GeneralisedGamma(Family):
    """Prentice's generalised gamma: with w = (ln t - mu)/sigma, a = Q^-2 and u = a e^(Qw).

    S is Q(a, u) for Q > 0, P(a, u) for Q < 0, and for |Q| < `survival_math.SMALL_Q` the
    expansion of `survival_math.small_q`, whose first order is Φ(-w) - Qφ(w)(w² + 2)/6.
    """

    name = "gengamma"
    parameters = ("mu", "sigma", "Q")
    positive = ("sigma",)
    uses_log_time = True

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        np.subtract(at, params[0], out=out)
        np.divide(out, params[1], out=out)
        shapes = np.broadcast_to(params[2], (len(out), 1))[:, 0]
        for row, q in zip(out, shapes.tolist(), strict=True):
            if abs(q) < sm.SMALL_Q:
                row[:] = sm.small_q_survival(row, q)
                continue
            a = np.array(1.0 / (q * q))
            np.multiply(row, q, out=row)
            if abs(q) > _WIDE_Q:
                row[:] = sm.gamma_upper(a, row) if q > 0 else sm.gamma_lower(a, row)
                continue
            np.exp(row, out=row)
            np.multiply(row, a, out=row)
            (special.gammaincc if q > 0 else special.gammainc)(a, row, out=row)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q = params
        w = (np.log(time) - mu) / sigma
        return _by_sign(
            w,
            q,
            small=sm.small_q_log_survival,
            above=lambda w, q: sm.log_gamma_upper(q**-2, q * w),
            below=lambda w, q: sm.log_gamma_lower(q**-2, q * w),
        )

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q = params
        w = (np.log(time) - mu) / sigma
        hazard = _by_sign(
            w,
            q,
            small=sm.small_q_hazard,
            above=lambda w, q: q * sm.gamma_hazard_upper(q**-2, q * w),
            below=lambda w, q: -q * sm.gamma_hazard_lower(q**-2, q * w),
        )
        return hazard / (sigma * time)

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q = params
        w = _by_sign(
            failed,
            q,
            small=sm.small_q_quantile,
            above=lambda p, q: sm.log_gamma_lower_inverse(q**-2, p) / q,
            below=lambda p, q: sm.log_gamma_upper_inverse(q**-2, p) / q,
        )
        return np.exp(mu + sigma * w)

    def _excel(self, *operands: str) -> str:
        mu, sigma, q, t = operands
        w = f"((LN({t})-{mu})/{sigma})"
        y = f"{q}*{w}"
        # the series of survival_math.small_q, cut where |Q| < SMALL_Q makes the rest vanish
        z = f"({w}*(1+{y}/6*(1+{y}/6*(1+{y}*2/15*(1+{y}*5/48)))))"
        c0 = f"{y}/12*(1-{y}/90*(1+{y}*19/12))-1/3"
        c1 = f"{q}*{q}*(1/540+{y}/288)"
        small = f"NORMSDIST(-{z})+EXP(-0.5*{z}^2)/SQRT(2*PI())*{q}*({c0}-{c1})"
        u = f"MIN(1000000,EXP(MIN({_LIMIT},{y}))/({q}*{q}))"
        lower = f"GAMMADIST({u},1/({q}*{q}),1,TRUE)"
        return f"IF(ABS({q})<{sm.SMALL_Q},{small},IF({q}>0,1-{lower},{lower}))"


def _by_sign(
    x: FloatArray,
    q: FloatArray,
    *,
    small: Callable[[FloatArray, FloatArray], FloatArray],
    above: Callable[[FloatArray, FloatArray], FloatArray],
    below: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """Apply the function of each element's Q: near 0, above it, below it."""
    value = np.full(x.shape, np.nan)
    for mask, function in (
        (np.abs(q) < sm.SMALL_Q, small),
        (q >= sm.SMALL_Q, above),
        (q <= -sm.SMALL_Q, below),
    ):
        if mask.any():
            value[mask] = function(x[mask], q[mask])
    return value


#: Family name -> family; a new family is one more entry. Splines are many: see `family_of`.
CURVES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Exponential(),
        Weibull(),
        Gompertz(),
        LogLogistic(),
        LogNormal(),
        Gamma(),
        GeneralisedGamma(),
        GeneralisedF(),
    )
}


def family_of(name: str, scale: str = "", knots: int = 0) -> Family:
    """Give the family of a row: one of `CURVES`, or a spline by its scale and its knots.

    Parameters
    ----------
    name : str
        A key of `CURVES`, or ``spline``.
    scale, knots : str, int
        Of a spline: its scale, and its number of knots, those at its ends included.
    """
    return _spline(scale, knots) if name == SPLINE else CURVES[name]


def family_of_curve(curve: Curve) -> Family:
    """Give the family of a curve that has one of its own."""
    return family_of(curve.family, curve.scale, len(curve.parameters) // 2)


def family_after(curve: Curve) -> Family:
    """Give the family of survival after progression."""
    return family_of(curve.pps_family, curve.pps_scale, len(curve.pps_parameters) // 2)


@cache
def _spline(scale: str, knots: int) -> Spline:
    return Spline(scale, knots)


def step_survival(km: KaplanMeier, times: ArrayLike) -> FloatArray:
    """Kaplan-Meier survival at each time: right-continuous steps, the last value kept.

    Parameters
    ----------
    km : KaplanMeier
        Times rising from 0, in the table's unit.
    times : array of any shape
        Times >= 0 in the same unit. One within `STEP_TOLERANCE` (relative) below a step is on it.

    Returns
    -------
    array of the same shape
    """
    reached = np.asarray(times, dtype=float) * (1.0 + STEP_TOLERANCE)
    index = np.searchsorted(km.time, reached, side="right") - 1
    return km.survival[np.maximum(index, 0)]


def step_excel(time: str, times: str, survivals: str) -> str:
    """Spreadsheet formula of `step_survival`: ``times`` and ``survivals`` are ranges."""
    (t,) = bracketed(time)
    return f"LOOKUP({t}*(1+{STEP_TOLERANCE:.0E}),{times},{survivals})"
