"""Precision of results over draws: standard errors, running means, how many draws (methods 7.4).

Independent draws have the usual standard errors. A Latin hypercube or Sobol sample is stratified,
so its draws are not independent; its error is seen between independent randomisations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.analyses.cea import QALY_TOLERANCE, icer
from heor.analyses.psa_results import (
    Convergence,
    Estimate,
    Probability,
    PsaResult,
    RecommendedDraws,
)
from heor.spec.parameters import FloatArray

#: Standard errors in half a 95% interval.
Z95 = 1.96

#: Recommended number of draws: widest 95% half-width of INMB as a share of |INMB|, and the
#: largest standard error of the ICER as a share of the ICER.
INMB_SHARE = 0.05
ICER_SHARE = 0.01

#: Points of a convergence curve and the first of them.
POINTS = 50
FIRST_POINT = 10


@dataclass(frozen=True, slots=True)
class Replicates:
    """Which independent randomisation each draw belongs to.

    Parameters
    ----------
    of_draw : array of int ``(draw,)``
        From 0.
    count : int
        Number of randomisations.
    independent : bool
        Whether draws are independent of one another within a randomisation (sampler ``random``).
    """

    of_draw: NDArray[np.int64]
    count: int
    independent: bool

    @classmethod
    def random(cls, n: int) -> Replicates:
        """``n`` independent draws."""
        return cls(np.zeros(n, dtype=np.int64), 1, True)

    def standard_error(self, values: FloatArray) -> float:
        """Monte Carlo standard error of the mean of ``values`` ``(draw,)``; NaN if unknown."""
        if self.independent:
            n = len(values)
            return float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
        if self.count < 2:
            return math.nan
        sizes = np.bincount(self.of_draw, minlength=self.count)
        means = np.bincount(self.of_draw, weights=values, minlength=self.count) / sizes
        return float(means.std(ddof=1) / math.sqrt(self.count))


def replicates_of(result: PsaResult) -> Replicates:
    """How the draws of a result depend on one another."""
    return Replicates(result.replicate, result.replicates, result.sampler == "random")


def estimate(values: FloatArray, replicates: Replicates) -> Estimate:
    """Mean with standard error, SD and 2.5-97.5 percentiles of ``values`` ``(draw,)``."""
    low, high = np.quantile(values, (0.025, 0.975))
    return Estimate(
        mean=float(values.mean()),
        mcse=replicates.standard_error(values),
        sd=float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        low=float(low),
        high=float(high),
    )


def probability(indicator: FloatArray, replicates: Replicates) -> Probability:
    """Share of draws; ``indicator`` ``(draw,)`` holds 1, 0, or a share where there is a tie.

    Its standard error is √(p(1−p)/N) for independent draws.
    """
    p = float(indicator.mean())
    if replicates.independent:
        mcse = math.sqrt(max(p * (1 - p), 0.0) / len(indicator))
    else:
        mcse = replicates.standard_error(indicator)
    return Probability(value=p, mcse=mcse)


def icer_standard_error(
    delta_cost: FloatArray, delta_qaly: FloatArray, replicates: Replicates
) -> float | None:
    """Monte Carlo standard error of the ratio of means R = ΔC̄/ΔQ̄ (methods 7.4).

    That of the mean of ΔC − R·ΔQ, over |ΔQ̄|: the ratio estimator's usual linearisation. None
    where the ICER has no meaning.
    """
    ratio = icer(float(delta_cost.mean()), float(delta_qaly.mean()))
    if ratio is None:
        return None
    residual = replicates.standard_error(delta_cost - ratio * delta_qaly)
    return residual / abs(float(delta_qaly.mean()))


def wins_over(inmb: FloatArray) -> FloatArray:
    """1 where INMB > 0, one half where it is 0; ``(draw,)``."""
    return np.where(inmb > 0, 1.0, np.where(inmb == 0, 0.5, 0.0))


def convergence(
    strategy: str,
    versus: str,
    threshold: float,
    severity_weight: float,
    delta_cost: FloatArray,
    delta_qaly: FloatArray,
) -> Convergence:
    """Running results of one comparison at about 50 points, evenly spaced in log draws."""
    n = len(delta_cost)
    inmb = threshold * severity_weight * delta_qaly - delta_cost
    first = min(FIRST_POINT, n)
    at = np.unique(np.geomspace(first, n, POINTS).round().astype(np.int64))
    last = at - 1

    def running(values: FloatArray) -> FloatArray:
        return np.asarray(np.cumsum(values)[last] / at, dtype=np.float64)

    cost, qaly, benefit = running(delta_cost), running(delta_qaly), running(inmb)
    centre = float(inmb.mean())
    spread = running((inmb - centre) ** 2) - (benefit - centre) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        half_width = Z95 * np.sqrt(np.maximum(spread, 0.0) / (at - 1.0))
        ratio = np.where((cost > 0) & (qaly >= QALY_TOLERANCE), cost / qaly, np.nan)
    return Convergence(
        id=strategy,
        versus=versus,
        threshold=threshold,
        draws=at,
        delta_cost=cost,
        delta_qaly=qaly,
        inmb=benefit,
        inmb_half_width=half_width,
        icer=ratio,
        probability=running(wins_over(inmb)),
    )


def recommended_draws(
    strategy: str,
    versus: str,
    threshold: float,
    severity_weight: float,
    delta_cost: FloatArray,
    delta_qaly: FloatArray,
) -> RecommendedDraws:
    """Smallest number of independent draws that gives the comparison a stated precision.

    Two rules, the larger counts: the 95% Monte Carlo half-width of INMB, 1.96 s/√N, at most 5% of
    |INMB|, which also settles its sign; and the standard error of the ICER at most 1% of it.
    s and the means are those of the draws at hand. The half-width of a Latin hypercube or Sobol
    sample of that size is usually smaller. The idea of judging the number of draws by the
    precision of net benefit is of Hatswell et al. 2018, doi:10.1007/s40273-018-0697-3.
    """
    n = len(delta_cost)
    inmb = threshold * severity_weight * delta_qaly - delta_cost
    mean, spread = float(inmb.mean()), float(inmb.std(ddof=1)) if n > 1 else math.nan
    for_inmb = _draws_for(Z95 * spread, INMB_SHARE * abs(mean))
    ratio = icer(float(delta_cost.mean()), float(delta_qaly.mean()))
    for_icer = None
    if ratio is not None and n > 1:
        residual = float((delta_cost - ratio * delta_qaly).std(ddof=1))
        for_icer = _draws_for(residual / float(delta_qaly.mean()), ICER_SHARE * ratio)
    wanted = [draws for draws in (for_inmb, for_icer) if draws is not None]
    draws = max(wanted) if for_inmb is not None else None
    reached = draws is not None and n >= draws
    return RecommendedDraws(
        id=strategy,
        versus=versus,
        threshold=threshold,
        draws=draws,
        for_inmb=for_inmb,
        for_icer=for_icer,
        reached=reached,
        words=_advice(n, draws, reached, mean, Z95 * spread / math.sqrt(n), threshold),
    )


def _draws_for(half_width_of_one: float, allowed: float) -> int | None:
    """Smallest N >= 2 with half_width_of_one/√N <= allowed; None where no number gives it."""
    if math.isnan(half_width_of_one) or (allowed == 0 and half_width_of_one > 0):
        return None
    if half_width_of_one == 0:
        return 2
    return max(2, math.ceil((half_width_of_one / allowed) ** 2 * (1 - 1e-12)))


def _advice(
    n: int, draws: int | None, reached: bool, mean: float, half_width: float, threshold: float
) -> str:
    rule = (
        f"95% half-width of INMB at {threshold:,.0f} within {INMB_SHARE:.0%} of it and "
        f"standard error of the ICER within {ICER_SHARE:.0%}"
    )
    if draws is None:
        return f"INMB at {threshold:,.0f} has no scale to judge {n:,} draws by ({rule})"
    if reached:
        return f"{n:,} draws suffice: {draws:,} give a {rule}"
    unsettled = "; so far not even its sign is settled" if abs(mean) < half_width else ""
    return f"{n:,} draws are too few: {draws:,} would give a {rule}{unsettled}"
