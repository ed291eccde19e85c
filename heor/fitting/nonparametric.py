"""What was seen, without a family: Kaplan-Meier, smoothed hazards, straight lines, quantiles.

An event in an interval counts at its middle, and delayed entry is honoured everywhere (methods
2.10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from heor.errors import HeorError
from heor.fitting.data import SurvivalData, last_seen, risk_sets, weight_from
from heor.spec.parameters import FloatArray

#: Half width of a 95% interval in standard errors.
Z95 = 1.959963984540054

#: Fewest at risk where a smoothed hazard is shown, and where events still count for it; fewest
#: events to smooth.
LEAST_AT_RISK, LEAST_COUNTED, LEAST_EVENTS = 10, 5, 5

#: A share of those at risk below this is nobody, but for the rounding of weights.
_NOBODY = 1e-9

#: Points of a smoothed hazard, and parts of the range in a bandwidth, before the number of events.
_POINTS, _PARTS = 101, 3.0

#: Shares at which quantiles of two groups are compared.
SHARES = np.arange(1, 20) / 20

#: Scales on which a family is a straight line in ln t, and that family.
SCALES = {"log_cumulative_hazard": "weibull", "log_odds": "loglogistic", "normal": "lognormal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedCurve:
    """Kaplan-Meier estimate with its 95% band; arrays ``(event time,)``.

    Attributes
    ----------
    time, at_risk, events : array
        Times of events, how many are at risk just before, and how many have the event.
    survival, low, high : array
        Survival after the events and its band; NaN where everybody has had the event.
    censored : array ``(censoring time,)``
        Times at which subjects were censored.
    last : float
        Longest follow-up.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    censored: FloatArray
    last: float

    def at(self, when: FloatArray) -> FloatArray:
        """Survival at each time."""
        place = np.searchsorted(self.time, when, side="right")
        return np.append(1.0, self.survival)[place]

    def quantile(self, failed: FloatArray) -> FloatArray:
        """First time by which each share has had the event; NaN where it never has."""
        below = self.survival[None, :] <= 1.0 - np.asarray(failed)[:, None] + 1e-12
        found: FloatArray = np.where(below.any(axis=1), self.time[np.argmax(below, axis=1)], np.nan)
        return found


def observed_curve(data: SurvivalData) -> ObservedCurve:
    """Kaplan-Meier estimate of one group.

    The band is Greenwood's variance on the scale ln(-ln S) (Kalbfleisch & Prentice 2002, 1.4).

    Raises
    ------
    HeorError
        When there is no event.
    """
    if data.events <= 0:
        raise HeorError("no events: every subject is censored")
    time, events, at_risk = risk_sets(data)
    left = np.where(at_risk - events > _NOBODY * at_risk, at_risk - events, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(left / at_risk, dtype=float)
        variance = np.cumsum(events / (at_risk * left))
        spread = np.exp(Z95 * np.sqrt(variance) / np.abs(np.log(survival)))
        low, high = survival**spread, survival ** (1.0 / spread)
    known = survival > 0
    leave = last_seen(data)
    return ObservedCurve(
        time=time,
        at_risk=at_risk,
        events=events,
        survival=survival,
        low=np.where(known, low, np.nan),
        high=np.where(known, high, np.nan),
        censored=np.unique(leave[np.isinf(data.upper) & (data.weight > 0)]),
        last=float(leave.max()),
    )


def numbers_at_risk(data: SurvivalData, times: FloatArray) -> FloatArray:
    """How many are at risk at each time: there already, and not yet gone ``(time,)``.

    Who enters at a time is at risk just after it; at time 0 those who enter then count.
    """
    late = weight_from(data.entry, data.weight, times)
    late = late - np.where(times == 0, data.weight[data.entry == 0].sum(), 0.0)
    return weight_from(last_seen(data), data.weight, times) - late


# --- hazards -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothedHazard:
    """Kernel estimate of a hazard with its 95% band; arrays ``(point,)``.

    Attributes
    ----------
    time, hazard, low, high : array
        Per time unit; no band where the standard error is above the hazard.
    bandwidth : float
        Half width of the kernel.
    chosen : bool
        The bandwidth was found from the data.
    """

    time: FloatArray
    hazard: FloatArray
    low: FloatArray
    high: FloatArray
    bandwidth: float
    chosen: bool


def boundary_kernel(z: FloatArray, q: FloatArray) -> FloatArray:
    """Epanechnikov's kernel, cut at ``q`` of its half width (Müller & Wang 1994, table 1).

    Parameters
    ----------
    z : array
        Distance in half widths, t - x over the bandwidth; the kernel lives on [-1, q].
    q : array
        Distance to the boundary in half widths, 1 for none.

    Examples
    --------
    >>> float(boundary_kernel(np.array(0.5), np.array(1.0)))
    0.5625
    """
    inside = (z >= -1.0) & (z <= q)
    weight = 12.0 / (1.0 + q) ** 4
    value = weight * (z + 1.0) * (z * (1.0 - 2.0 * q) + (3.0 * q**2 - 2.0 * q + 1.0) / 2.0)
    return np.where(inside, value, 0.0)


def _weights(at: FloatArray, x: FloatArray, ends: tuple[float, float], width: float) -> FloatArray:
    """Kernel of every point ``at`` (row) at every ``x`` (column), bent at both ends."""
    z = (at[:, None] - x[None, :]) / width
    left = np.minimum((at - ends[0]) / width, 1.0)[:, None]
    right = np.minimum((ends[1] - at) / width, 1.0)[:, None]
    turned = right < left
    return boundary_kernel(np.where(turned, -z, z), np.where(turned, right, left)) / width


def smoothed_hazard(data: SurvivalData, bandwidth: float | None = None) -> SmoothedHazard:
    """Smooth the increments of the Nelson-Aalen estimate of one group.

    The kernel is Epanechnikov's with Müller & Wang's (1994) boundary kernels. It runs over the time
    with at least `LEAST_COUNTED` at risk and is shown where there are `LEAST_AT_RISK`. Without a
    ``bandwidth`` it is a third of that time over the fifth root of the number of events: the best
    rate, with a constant that leaves about n^0.8 / 1.5 events under the kernel. The band is that of
    a hazard whose logarithm is normal; it knows of no bias.

    Raises
    ------
    HeorError
        When too few are at risk, or the bandwidth makes no sense.
    """
    time, events, at_risk = risk_sets(data)
    if events[at_risk >= LEAST_AT_RISK].sum() < LEAST_EVENTS:
        raise HeorError(
            f"fewer than {LEAST_EVENTS} events while {LEAST_AT_RISK} or more are at risk, so no "
            "hazard is smoothed"
        )
    ends, shown = _while_at_risk(data, LEAST_COUNTED), _while_at_risk(data, LEAST_AT_RISK)
    counted = (time >= ends[0]) & (time <= ends[1])
    time, events, at_risk = time[counted], events[counted], at_risk[counted]
    reach = ends[1] - ends[0]
    step, variance = events / at_risk, events / at_risk**2
    if bandwidth is not None and not 0 < bandwidth <= reach / 2:
        raise HeorError(
            f"a bandwidth of {bandwidth:g}: it must be above 0 and at most {reach / 2:.4g}, half "
            "the time over which hazards can be smoothed"
        )
    width = bandwidth or reach / (_PARTS * float(events.sum()) ** 0.2)
    at = np.linspace(*shown, _POINTS)
    kernel = _weights(at, time, ends, width)
    hazard = np.maximum(kernel @ step, 0.0)
    error = np.sqrt(kernel**2 @ variance)
    known = (hazard > 0) & (error <= hazard)
    spread = np.exp(Z95 * error / np.where(known, hazard, np.inf))
    low, high = hazard / spread, hazard * spread
    return SmoothedHazard(
        time=at,
        hazard=hazard,
        low=np.where(known, low, np.nan),
        high=np.where(known, high, np.nan),
        bandwidth=float(width),
        chosen=bandwidth is None,
    )


def _while_at_risk(data: SurvivalData, least: int) -> tuple[float, float]:
    """From when until when at least so many are at risk."""
    leave = last_seen(data)
    times = np.unique(np.concatenate([leave, data.entry]))
    enough = np.flatnonzero(numbers_at_risk(data, times) >= least)
    first = 0.0 if data.weight[data.entry == 0].sum() >= least else float(times[enough[0]])
    return first, float(times[enough[-1]])


# --- straight lines and quantiles ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightLine:
    """The Kaplan-Meier estimate on the scale of a family, and the line through it.

    Attributes
    ----------
    scale : str
        A key of `SCALES`.
    log_time, value : array ``(event time,)``
        Where survival is between 0 and 1.
    slope, intercept, explained : float
        Of the least-squares line, and the share of variance it explains.
    """

    scale: str
    log_time: FloatArray
    value: FloatArray
    slope: float
    intercept: float
    explained: float


def on_scale(scale: str, survival: FloatArray) -> FloatArray:
    """Survival on the scale on which a family is straight: ln(-ln S), log odds, -Φ⁻¹(S)."""
    if scale == "log_cumulative_hazard":
        return np.log(-np.log(survival))
    if scale == "log_odds":
        return np.log1p(-survival) - np.log(survival)
    return -special.ndtri(survival)


def straight_lines(curve: ObservedCurve) -> tuple[StraightLine, ...]:
    """The three standard transformations (TSD 14); none where there are fewer than three points."""
    kept = (curve.survival > 0) & (curve.survival < 1)
    x = np.log(curve.time[kept])
    if len(x) < 3:
        return ()
    found = []
    for scale in SCALES:
        y = on_scale(scale, curve.survival[kept])
        across = x - x.mean()
        slope = float(across @ y / (across @ across))
        rest = y - y.mean() - slope * across
        spread = float(((y - y.mean()) ** 2).sum())
        found.append(
            StraightLine(
                scale=scale,
                log_time=x,
                value=y,
                slope=slope,
                intercept=float(y.mean() - slope * x.mean()),
                explained=1.0 - float(rest @ rest) / spread,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantilePlot:
    """Times by which equal shares of two groups have had the event; arrays ``(share,)``.

    Attributes
    ----------
    reference, group : str
    share, reference_time, time : array
        Shares that both groups reach, and when.
    factor : float
        Geometric mean of the ratios of times: the acceleration factor, if there is one.
    low, high : float
        Smallest and largest ratio.
    """

    reference: str
    group: str
    share: FloatArray
    reference_time: FloatArray
    time: FloatArray
    factor: float
    low: float
    high: float


def quantile_plot(
    reference: str, first: ObservedCurve, group: str, second: ObservedCurve
) -> QuantilePlot | None:
    """Compare two groups by quantiles; None where they share none of `SHARES`."""
    x, y = first.quantile(SHARES), second.quantile(SHARES)
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        return None
    ratio = y[both] / x[both]
    return QuantilePlot(
        reference=reference,
        group=group,
        share=SHARES[both],
        reference_time=x[both],
        time=y[both],
        factor=float(np.exp(np.log(ratio).mean())),
        low=float(ratio.min()),
        high=float(ratio.max()),
    )
