"""Flexible families: the generalised F and Royston-Parmar splines (methods 2).

Sources: Cox 2008 (doi 10.1002/sim.3176) for the generalised F in Prentice's form; Royston & Parmar
2002 (doi 10.1002/sim.1203) for splines. Parameter names and scales are flexsurv's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import special

from heor.engine import survival_math as sm
from heor.engine.survival_family import Family

if TYPE_CHECKING:
    from heor.spec.parameters import FloatArray

#: Scales of a spline: what of S is a spline of ln t.
SPLINE_SCALES = ("hazard", "odds", "normal")

#: Steps of bisection of a spline's quantile; enough for the last bit of ln t.
_BISECTIONS = 70

#: Exponents beyond this overflow in a spreadsheet.
_LIMIT = 700


class GeneralisedF(Family):
    """S = I_x(s2, s1), x = s2/(s2 + s1 e^(δw)) with w = (ln t - mu)/sigma, δ² = Q² + 2P, P > 0.

    s1 = 2/(δ² + Qδ) and s2 = 2/(δ² - Qδ). P → 0 is the generalised gamma.
    """

    name = "genf"
    parameters = ("mu", "sigma", "Q", "P")
    positive = ("sigma", "P")
    uses_log_time = True

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        np.subtract(at, mu, out=out)
        np.multiply(out, delta / sigma, out=out)
        np.add(out, np.log(s1 / s2), out=out)
        np.negative(out, out=out)
        special.expit(out, out=out)
        special.betainc(s2, s1, out, out=out)

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        odds = delta * (np.log(time) - mu) / sigma + np.log(s1 / s2)
        failed = special.betainc(s1, s2, special.expit(odds))
        alive = special.betainc(s2, s1, special.expit(-odds))
        # far in the tail I_x(a, b) is x^a/(a B(a, b)) to first order
        tail = s2 * special.log_expit(-odds) - np.log(s2) - special.betaln(s2, s1)
        near: FloatArray = np.where(failed < 0.5, np.log1p(-failed), np.log(alive))
        result: FloatArray = np.where(alive > 1e-290, near, tail)
        return result

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        return np.exp(self._log_density(time, *params) - self._log_survival(time, *params))

    def _log_density(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        odds = delta * (np.log(time) - mu) / sigma + np.log(s1 / s2)
        scale = np.log(delta / (sigma * time)) - special.betaln(s1, s2)
        inner: FloatArray = s1 * special.log_expit(odds) + s2 * special.log_expit(-odds)
        total: FloatArray = scale + inner
        return total

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        x = special.betaincinv(s1, s2, failed)
        return np.exp(mu + sigma / delta * (special.logit(x) - np.log(s1 / s2)))

    def _excel(self, *operands: str) -> str:
        mu, sigma, q, p, t = operands
        delta = f"SQRT({q}*{q}+2*{p})"
        s1 = f"(2/({delta}*({delta}+{q})))"
        s2 = f"(2/({delta}*({delta}-{q})))"
        odds = f"{delta}*(LN({t})-{mu})/{sigma}+LN({s1}/{s2})"
        return f"BETADIST(1/(1+EXP(MIN({_LIMIT},{odds}))),{s2},{s1})"


def _shapes(q: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """δ, s1 and s2, without the cancellation of δ² ± Qδ where P is small."""
    delta = np.sqrt(q * q + 2.0 * p)
    above = np.where(q > 0, delta + q, 2.0 * p / (delta - q))
    below = np.where(q > 0, 2.0 * p / (delta + q), delta - q)
    return delta, 2.0 / (delta * above), 2.0 / (delta * below)


class Spline(Family):
    """Royston-Parmar: g(S) is a natural cubic spline of x = ln t with ``len(knots)`` knots.

    g is ln H (``hazard``), the log odds of failure (``odds``) or -Φ⁻¹(S) (``normal``). The
    parameters are gamma0, gamma1, … and then the knots on the scale of ln t, boundaries included.
    """

    name = "spline"
    positive: ClassVar[tuple[str, ...]] = ()
    uses_log_time = True

    def __init__(self, scale: str, knots: int) -> None:
        if scale not in SPLINE_SCALES or knots < 2:
            raise ValueError(f"no spline of {knots} knots on the scale {scale!r}")
        self.scale = scale
        self.knots = knots
        self.parameters = (  # type: ignore[misc]  # as many as there are knots
            *(f"gamma{i}" for i in range(knots)),
            *(f"knot{i + 1}" for i in range(knots)),
        )

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        eta = np.broadcast_to(self.linear(at, params), out.shape)
        np.copyto(out, np.where(np.isneginf(at), 1.0, np.exp(self._log_of(eta))))

    def linear(self, x: FloatArray, params: Sequence[FloatArray]) -> FloatArray:
        """Give η(x) = γ₀ + γ₁x + Σγ_{j+1}v_j(x) at x = ln t; broadcasts."""
        gammas, knots = params[: self.knots], params[self.knots :]
        total: FloatArray = gammas[0] + gammas[1] * x
        for gamma, v in zip(gammas[2:], self._bends(x, knots, 3), strict=True):
            total = total + gamma * v
        return total

    def _slope(self, x: FloatArray, params: Sequence[FloatArray]) -> FloatArray:
        gammas, knots = params[: self.knots], params[self.knots :]
        total: FloatArray = gammas[1] + 0.0 * x
        for gamma, v in zip(gammas[2:], self._bends(x, knots, 2), strict=True):
            total = total + 3.0 * gamma * v
        return total

    @staticmethod
    def _bends(x: FloatArray, knots: Sequence[FloatArray], power: int) -> list[FloatArray]:
        """Give v_j with the cubes, or the squares that their slopes have."""
        first, *inner, last = knots
        low, high = np.maximum(x - first, 0.0) ** power, np.maximum(x - last, 0.0) ** power
        bends = []
        for knot in inner:
            share = (last - knot) / (last - first)
            bends.append(np.maximum(x - knot, 0.0) ** power - share * low - (1.0 - share) * high)
        return bends

    def _log_of(self, eta: FloatArray) -> FloatArray:
        """Give ln S of the linear predictor."""
        if self.scale == "hazard":
            return -np.exp(eta)
        log_share = special.log_expit if self.scale == "odds" else special.log_ndtr
        result: FloatArray = log_share(-eta)
        return result

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        result: FloatArray = np.where(
            time > 0, self._log_of(self.linear(np.log(time), params)), 0.0
        )
        return result

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        x = np.log(time)
        eta, slope = self.linear(x, params), self._slope(x, params)
        if self.scale == "hazard":
            by_eta = np.exp(eta)
        elif self.scale == "odds":
            by_eta = special.expit(eta)
        else:
            by_eta = sm.normal_hazard(eta)
        result: FloatArray = by_eta * slope / time
        return result

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        goal = np.log1p(-failed)
        low, high = np.full(failed.shape, -700.0), np.full(failed.shape, 700.0)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            alive = self._log_of(self.linear(middle, params)) > goal
            low, high = np.where(alive, middle, low), np.where(alive, high, middle)
        never = self._log_of(self.linear(np.full(failed.shape, 700.0), params)) > goal
        return np.where(failed <= 0, 0.0, np.where(never, np.inf, np.exp((low + high) / 2)))

    def _excel(self, *operands: str) -> str:
        *params, t = operands
        gammas, (first, *inner, last) = params[: self.knots], params[self.knots :]
        x = f"LN({t})"
        low, high = f"MAX(0,{x}-{first})^3", f"MAX(0,{x}-{last})^3"
        eta = f"{gammas[0]}+{gammas[1]}*{x}"
        for gamma, knot in zip(gammas[2:], inner, strict=True):
            share = f"({last}-{knot})/({last}-{first})"
            eta += f"+{gamma}*(MAX(0,{x}-{knot})^3-{share}*{low}-(1-{share})*{high})"
        if self.scale == "hazard":
            return f"EXP(-EXP(MIN({_LIMIT},{eta})))"
        if self.scale == "odds":
            return f"1/(1+EXP(MIN({_LIMIT},{eta})))"
        return f"NORMSDIST(-({eta}))"
