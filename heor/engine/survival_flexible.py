"""Flexible families: the generalised F and Royston-Parmar splines (methods 2).

Sources: Cox 2008 (doi 10.1002/sim.3176) for the generalised F in Prentice's form; Royston & Parmar
2002 (doi 10.1002/sim.1203) for splines. Parameter names and scales are flexsurv's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from heor.engine import survival_math as sm
from heor.engine.survival_family import LANDMARKS, Family
from heor.spec.records import SPLINE, SPLINE_SCALES

if TYPE_CHECKING:
    from heor.spec.parameters import FloatArray

#: Steps of bisection of a spline's quantile; enough for the last bit of ln t.
_BISECTIONS = 70

#: Below this the incomplete beta function is its first term to the last digit.
_TAIL = 1e-16

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
        np.copyto(out, _tails(out, s1, s2)[0])

    def _log_survival(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        odds = delta * (np.log(time) - mu) / sigma + np.log(s1 / s2)
        alive, failed = _tails(odds, s1, s2)
        result: FloatArray = np.where(failed < 0.5, np.log1p(-failed), np.log(alive))
        far = alive < 1e-290
        if far.any():
            s1, s2 = (np.broadcast_to(shape, far.shape)[far] for shape in (s1, s2))
            result[far] = sm.log_beta_lower(s2, s1, special.log_expit(-odds[far]))
        return result

    def _hazard(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        return np.exp(self.log_density(time, *params) - self._log_survival(time, *params))

    def log_density(self, time: FloatArray, *params: FloatArray) -> FloatArray:
        """Give ln f at times above 0.

        With v = δw, n = s1 + s2 and x = s1/n it is ln(δ/(σt)) + s1 v - n ln(1 + x(e^v - 1)) less
        what Stirling's formula leaves of the beta function: nothing cancels where P is small.
        """
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        turned = s2 < s1
        first, second = np.where(turned, s2, s1), np.where(turned, s1, s2)
        v = np.where(turned, -delta, delta) * (np.log(time) - mu) / sigma
        n = 2.0 / p
        share = first / n
        near = first * v - n * np.log1p(share * np.expm1(np.minimum(v, _LIMIT)))
        inner = np.where(v < _LIMIT, near, -second * v - n * np.log(share))
        rest = sm.stirling_rest(n) - sm.stirling_rest(s1) - sm.stirling_rest(s2)
        level = 0.5 * np.log(share * second / (2.0 * np.pi)) + rest
        total: FloatArray = np.log(delta / (sigma * time)) + inner + level
        return total

    def _quantile(self, failed: FloatArray, *params: FloatArray) -> FloatArray:
        mu, sigma, q, p = params
        delta, s1, s2 = _shapes(q, p)
        below, above = special.betaincinv(s1, s2, failed), special.betainccinv(s2, s1, failed)
        odds = np.where(below < above, special.logit(below), -special.logit(above))
        # in the tails, where those lose their digits, I_x(a, b) is x^a/(a B(a, b))
        first = (np.log(failed) + np.log(s1) + special.betaln(s1, s2)) / s1
        last = (np.log1p(-failed) + np.log(s2) + special.betaln(s1, s2)) / s2
        odds = np.where(np.exp(first) * (1.0 + s2) < _TAIL, first, odds)
        odds = np.where(np.exp(last) * (1.0 + s1) < _TAIL, -last, odds)
        time: FloatArray = np.exp(mu + sigma / delta * (odds - np.log(s1 / s2)))
        return time

    def derived(self, params: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """Give δ, s1 and s2."""
        _, _, q, p = params
        return _shapes(q, p)

    def derived_excel(self, params: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Formulas of δ, s1 and s2."""
        _, _, q, p = params
        delta = f"SQRT({q}*{q}+2*{p})"
        above = f"IF({q}>0,{delta}+{q},2*{p}/({delta}-{q}))"
        below = f"IF({q}>0,2*{p}/({delta}+{q}),{delta}-{q})"
        return ("δ", delta), ("s1", f"(2/({delta}*{above}))"), ("s2", f"(2/({delta}*{below}))")

    def _excel(self, *operands: str) -> str:
        mu, sigma, _, _, t = operands
        (_, delta), (_, s1), (_, s2) = self.derived_excel(operands[:-1])
        odds = f"{delta}*(LN({t})-{mu})/{sigma}+LN({s1}/{s2})"
        # BETADIST takes the smaller of x and 1 - x, for near 1 digits are lost
        late = f"BETADIST(1/(1+EXP(MIN({_LIMIT},{odds}))),{s2},{s1})"
        early = f"1-BETADIST(1/(1+EXP(MIN({_LIMIT},-({odds})))),{s1},{s2})"
        return f"IF({odds}>0,{late},{early})"


def _tails(odds: FloatArray, s1: FloatArray, s2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares alive and failed; the smaller of x and 1 - x goes in, for near 1 digits are lost."""
    share = special.expit(-np.abs(odds))
    late = odds > 0
    first, second = np.where(late, s2, s1), np.where(late, s1, s2)
    small = special.betainc(first, second, share)
    tiny = np.abs(odds) > _LIMIT
    if tiny.any():  # I_x(a, b) is x^a/(a B(a, b)) where x underflows
        power = np.exp(-first * np.abs(odds) - np.log(first) - special.betaln(first, second))
        small = np.where(tiny, power, small)
    rest = 1.0 - small
    large = small > 0.5
    if large.any():
        rest[large] = special.betaincc(first[large], second[large], share[large])
    return np.where(late, small, rest), np.where(late, rest, small)


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

    name = SPLINE
    positive: ClassVar[tuple[str, ...]] = ()
    uses_log_time = True
    may_rise = True

    def __init__(self, scale: str, knots: int) -> None:
        if scale not in SPLINE_SCALES or knots < 2:
            raise ValueError(f"no spline of {knots} knots on the scale {scale!r}")
        self.scale = scale
        self.knots = knots
        self.parameters = (  # type: ignore[misc]  # as many as there are knots
            *(f"gamma{i}" for i in range(knots)),
            *(f"knot{i + 1}" for i in range(knots)),
        )

    @property
    def form(self) -> str:
        """Name and scale."""
        return f"{self.name} {self.scale}"

    def _fill(self, at: FloatArray, params: Sequence[FloatArray], out: FloatArray) -> None:
        gammas = params[: self.knots]
        knots = [_once(knot) for knot in params[self.knots :]]
        np.multiply(at, gammas[1], out=out)
        np.add(out, _where_rising(gammas[0], knots), out=out)
        for gamma, v in zip(gammas[2:], self._bends(at, knots, 3), strict=True):
            np.add(out, gamma * v, out=out)
        if self.scale == "hazard":
            np.exp(out, out=out)
            np.negative(out, out=out)
            np.exp(out, out=out)
        else:
            np.negative(out, out=out)
            (special.expit if self.scale == "odds" else special.ndtr)(out, out=out)
        np.copyto(out, 1.0, where=np.isneginf(at))

    def linear(self, x: FloatArray, params: Sequence[FloatArray]) -> FloatArray:
        """Give η(x) = γ₀ + γ₁x + Σγ_{j+1}v_j(x) at x = ln t; broadcasts."""
        gammas, knots = params[: self.knots], params[self.knots :]
        total: FloatArray = gammas[0] + gammas[1] * x
        for gamma, v in zip(gammas[2:], self._bends(x, knots, 3), strict=True):
            total = total + gamma * v
        return total

    def slope(self, x: FloatArray, params: Sequence[FloatArray]) -> FloatArray:
        """Give dη/dx at x = ln t; broadcasts."""
        """Give the derivative of η by x; broadcasts."""
        gammas, knots = params[: self.knots], params[self.knots :]
        total: FloatArray = gammas[1] + 0.0 * x
        for gamma, v in zip(gammas[2:], self._bends(x, knots, 2), strict=True):
            total = total + 3.0 * gamma * v
        return total

    @staticmethod
    def _bends(x: FloatArray, knots: Sequence[FloatArray], power: int) -> list[FloatArray]:
        """Give v_j with the cubes, or the squares that their slopes have."""
        first, *inner, last = knots
        low, high = _beyond(x, first, power), _beyond(x, last, power)
        bends = []
        for knot in inner:
            share = (last - knot) / (last - first)
            bends.append(_beyond(x, knot, power) - share * low - (1.0 - share) * high)
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
        eta, slope = self.linear(x, params), self.slope(x, params)
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
        never |= failed >= 1
        return np.where(failed <= 0, 0.0, np.where(never, np.inf, np.exp((low + high) / 2)))

    def _area(self, params: Sequence[ArrayLike], limit: float) -> float:
        knots = np.exp([float(np.asarray(knot)) for knot in params[self.knots :]])
        return sm.area_under(
            lambda time: np.exp(self.log_survival(time, params)),
            np.sort(np.concatenate((self.quantile(LANDMARKS, params), knots))),
            float(self.median(params)),
            limit,
        )

    def derived(self, params: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """Give the weights of the cubes beyond the first and the last knot."""
        gammas, (first, *inner, last) = params[: self.knots], params[self.knots :]
        low, high = np.zeros_like(first), np.zeros_like(first)
        for gamma, knot in zip(gammas[2:], inner, strict=True):
            low = low + gamma * (last - knot) / (last - first)
            high = high + gamma * (knot - first) / (last - first)
        return low, high

    def derived_excel(self, params: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Formulas of the weights of the cubes beyond the first and the last knot."""
        gammas, (first, *inner, last) = params[: self.knots], params[self.knots :]
        if not inner:
            return ()
        pairs = list(zip(gammas[2:], inner, strict=True))
        low = "+".join(f"{gamma}*({last}-{knot})" for gamma, knot in pairs)
        high = "+".join(f"{gamma}*({knot}-{first})" for gamma, knot in pairs)
        span = f"({last}-{first})"
        return ("Σγλ", f"({low})/{span}"), ("Σγ(1-λ)", f"({high})/{span}")

    def linear_excel(self, params: Sequence[str], time: str) -> str:
        """Formula of η at a time above 0."""
        gammas, (first, *inner, last) = params[: self.knots], params[self.knots :]
        x = f"LN({time})"
        eta = f"{gammas[0]}+{gammas[1]}*{x}"
        for gamma, knot in zip(gammas[2:], inner, strict=True):
            eta += f"+{gamma}*MAX(0,{x}-{knot})^3"
        for (_, weight), knot in zip(self.derived_excel(params), (first, last), strict=False):
            eta += f"-{weight}*MAX(0,{x}-{knot})^3"
        return eta

    def _excel(self, *operands: str) -> str:
        eta = self.linear_excel(operands[:-1], operands[-1])
        if self.scale == "hazard":
            return f"EXP(-EXP(MIN({_LIMIT},{eta})))"
        if self.scale == "odds":
            return f"1/(1+EXP(MIN({_LIMIT},{eta})))"
        return f"NORMSDIST(-({eta}))"


def _once(knot: FloatArray) -> FloatArray:
    """A knot that is the same in every draw as one row; what it gives is the same bits."""
    return knot[:1] if knot.ndim and (knot == knot[:1]).all() else knot


def _where_rising(value: FloatArray, knots: Sequence[FloatArray]) -> FloatArray:
    """Give the value where no knot falls, NaN elsewhere: the guard of curves names the draw."""
    for left, right in pairwise(knots):
        value = np.where(left <= right, value, np.nan)
    return value


def _beyond(x: FloatArray, knot: FloatArray, power: int) -> FloatArray:
    """(x - knot)₊ to the power 2 or 3."""
    past = np.maximum(x - knot, 0.0)
    squared = past * past
    return squared if power == 2 else squared * past
