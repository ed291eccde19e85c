"""Cycles, person-time rules, windows and discounting (methods 3).

Everything linear in occupancy is a dot product of the trace with a weight vector over cycle
boundaries; this module makes those vectors. Times are in years of 365.25 days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heor.spec.parameters import FloatArray
from heor.spec.records import UNITS_PER_YEAR, DiscountRate, Settings


def discount_factor(years: FloatArray, rate: DiscountRate) -> FloatArray:
    """Value today of one unit at each time, with a step of the rate where there is one.

    Parameters
    ----------
    years : array of any shape
        Time since the start (years).
    rate : DiscountRate
        Annual rate, and the later rate from ``step_year`` on.

    Returns
    -------
    array of the same shape
        ``(1+r1)^-min(t,Y) (1+r2)^-max(0,t-Y)`` (methods 3.2).
    """
    log_factor: FloatArray
    first = np.log1p(rate.first)
    if rate.step_year is None or rate.later is None:
        log_factor = -first * years
    else:
        early = np.minimum(years, rate.step_year)
        log_factor = -first * early - np.log1p(rate.later) * (years - early)
    return np.exp(log_factor)


@dataclass(frozen=True, slots=True)
class PersonTime:
    """Discounted person-time of cycle k as ``left[k]·P[k] + right[k]·P[k+1]`` (years).

    ``left`` and ``right`` are ``(cycle,)``; P is occupancy at the boundaries.
    """

    left: FloatArray
    right: FloatArray

    def weights(self, share: FloatArray | None = None) -> FloatArray:
        """Weights over boundaries ``(cycle + 1,)``; ``share`` is the part of each cycle counted."""
        left, right = (
            (self.left, self.right) if share is None else (self.left * share, self.right * share)
        )
        weights = np.zeros(len(left) + 1)
        weights[:-1] += left
        weights[1:] += right
        return weights


class Timeline:
    """The cycle grid of a study and the weight vectors over it.

    Parameters
    ----------
    settings : Settings
        Cycle length, horizon, cycle correction and discounting convention.

    Attributes
    ----------
    length : float
        Cycle length (years).
    cycles : int
        T = ceil(horizon / length - 1e-9); the horizon is rounded up to whole cycles.
    horizon : float
        The rounded horizon (years).
    years : array ``(T + 1,)``
        Cycle boundaries.
    """

    def __init__(self, settings: Settings) -> None:
        self.length = settings.cycle_length
        self.cycles = int(np.ceil(settings.horizon / self.length - 1e-9))
        self.years: FloatArray = np.arange(self.cycles + 1, dtype=np.float64) * self.length
        self.horizon = self.cycles * self.length
        self.correction = settings.cycle_correction
        self.discounting = settings.discounting

    @property
    def mid_years(self) -> FloatArray:
        """Middle of each cycle (years), ``(T,)``."""
        return self.years[:-1] + self.length / 2

    def times(self, unit: str) -> FloatArray:
        """Cycle boundaries in another time unit, ``(T + 1,)``."""
        return self.years * UNITS_PER_YEAR[unit]

    def by_rule(self, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Share out a cycle's two ends by the cycle correction: trapezoid halves, or one end."""
        if self.correction == "trapezoid":
            return left / 2, right / 2
        if self.correction == "start":
            return left, np.zeros_like(right)
        return np.zeros_like(left), right

    def cycle_factors(self, rate: DiscountRate | None) -> FloatArray:
        """Discount factor v_k of each cycle, ``(T,)``; all 1 for no rate (methods 3.2).

        Under ``continuous`` it is the cycle rule applied to v(t), used where a cycle as a whole
        is discounted (events, equal-value life years).
        """
        if rate is None:
            return np.ones(self.cycles)
        start = self.years[:-1]
        if self.discounting == "mid_cycle":
            return discount_factor(self.mid_years, rate)
        if self.discounting == "start_of_cycle":
            return discount_factor(start, rate)
        if self.discounting == "annual":
            return discount_factor(np.floor(start + 1e-9), rate)
        at = discount_factor(self.years, rate)
        left, right = self.by_rule(at[:-1], at[1:])
        return left + right

    def person_time(self, rate: DiscountRate | None) -> PersonTime:
        """Discounted person-time of each cycle by the cycle correction (methods 3.1, 3.2)."""
        if rate is not None and self.discounting == "continuous":
            at = discount_factor(self.years, rate)
            left, right = self.by_rule(at[:-1], at[1:])
        else:
            factors = self.cycle_factors(rate)
            left, right = self.by_rule(factors, factors)
        return PersonTime(left * self.length, right * self.length)

    def person_years(self) -> FloatArray:
        """Undiscounted person-time of every boundary (years), ``(T + 1,)``."""
        return self.person_time(None).weights()

    def window(self, start: float | None, until: float | None, unit: str) -> FloatArray | None:
        """Share of each cycle inside [start, until), ``(T,)``; None when there is no window."""
        if not start and until is None:
            return None
        per_year = UNITS_PER_YEAR[unit]
        lower = (start or 0.0) / per_year
        upper = np.inf if until is None else until / per_year
        inside = np.minimum(self.years[1:], upper) - np.maximum(self.years[:-1], lower)
        return np.clip(inside / self.length, 0.0, 1.0)

    def departures(self, rate: DiscountRate | None) -> FloatArray:
        """Weights that turn a curve into discounted events leaving it: Σ v_k (S_k - S_{k+1})."""
        factors = self.cycle_factors(rate)
        weights = np.zeros(self.cycles + 1)
        weights[:-1] += factors
        weights[1:] -= factors
        return weights

    def schedule(
        self,
        start: float,
        every: float,
        until: float | None,
        unit: str,
        rate: DiscountRate | None,
    ) -> FloatArray:
        """Weights of occupancy at start, start + every, … < until (methods 5 ``schedule``).

        Occupancy is interpolated linearly between boundaries; the factor is that of the moment.
        """
        per_year = UNITS_PER_YEAR[unit]
        end = self.horizon if until is None else min(until / per_year, self.horizon)
        count = max(0, int(np.ceil((end * per_year - start) / every - 1e-9)))
        moments: FloatArray = (start + every * np.arange(count, dtype=np.float64)) / per_year
        if rate is None:
            factors = np.ones(count)
        elif self.discounting == "annual":
            factors = discount_factor(np.floor(moments + 1e-9), rate)
        else:
            factors = discount_factor(moments, rate)
        position = moments / self.length
        cycle = np.minimum(np.floor(position + 1e-9).astype(int), self.cycles - 1)
        share = np.maximum(position - cycle, 0.0)
        weights = np.zeros(self.cycles + 1)
        np.add.at(weights, cycle, factors * (1 - share))
        np.add.at(weights, cycle + 1, factors * share)
        return weights
