"""What TSD 14 and 21 ask to be looked at before a curve is chosen, from patient data alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heor.errors import HeorError
from heor.fitting.cox import Proportionality, proportionality
from heor.fitting.data import SurvivalData, weight_from
from heor.fitting.nonparametric import (
    ObservedCurve,
    QuantilePlot,
    SmoothedHazard,
    StraightLine,
    numbers_at_risk,
    observed_curve,
    quantile_plot,
    smoothed_hazard,
    straight_lines,
)
from heor.spec.parameters import FloatArray

#: About how many numbers at risk are given.
_RISK_COLUMNS = 10

#: A risk set below this, before half have entered, at which a curve falls by half or more, spoils
#: it.
_FEW = 10

#: Steps of time axes that people read, by time units in a year.
_STEPS = {
    1.0: (0.25, 0.5, 1, 2, 5, 10),
    12.0: (1, 2, 3, 6, 12, 24, 60),
    365.25 / 7: (1, 2, 4, 13, 26, 52, 104, 260),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDiagnostics:
    """One group.

    Attributes
    ----------
    group : str
        Label; blank where the data have no groups.
    observed : ObservedCurve
    at_risk : array ``(time,)``
        Numbers at risk at `Diagnostics.risk_time`.
    hazard : SmoothedHazard or None
        None where too few are at risk.
    lines : tuple of StraightLine
        The standard transformations; none for fewer than three points.
    notes : tuple of str
        Sentences worth a look.
    """

    group: str
    observed: ObservedCurve
    at_risk: FloatArray
    hazard: SmoothedHazard | None
    lines: tuple[StraightLine, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """All groups, and how they compare.

    Attributes
    ----------
    risk_time : array ``(time,)``
        Round times from 0 to the longest follow-up.
    groups : tuple of GroupDiagnostics
    quantiles : tuple of QuantilePlot
        Each group against the first, where both reach a share.
    proportional : Proportionality or None
        None for one group, or where a hazard ratio cannot be estimated.
    notes : tuple of str
    """

    risk_time: FloatArray
    groups: tuple[GroupDiagnostics, ...]
    quantiles: tuple[QuantilePlot, ...]
    proportional: Proportionality | None
    notes: tuple[str, ...]

    def of(self, group: str) -> GroupDiagnostics:
        """Give one group's."""
        return next(one for one in self.groups if one.group == group)


def diagnose(data: SurvivalData, *, per_year: float, bandwidth: float | None = None) -> Diagnostics:
    """Look at patient data before, and beside, fitting families to them.

    Parameters
    ----------
    data : SurvivalData
    per_year : float
        Time units in a year; it only chooses round times.
    bandwidth : float, optional
        Of smoothed hazards; chosen from the data of each group otherwise.

    Raises
    ------
    HeorError
        When a group has no event, or a bandwidth makes no sense.
    """
    own = [data.of(group) for group in data.groups]
    curves = [observed_curve(one) for one in own]
    last = max(curve.last for curve in curves)
    step = axis_step(last, per_year)
    risk_time = step * np.arange(int(last / step + 1e-9) + 1, dtype=float)
    groups = tuple(
        _group(one, curve, risk_time, bandwidth) for one, curve in zip(own, curves, strict=True)
    )
    plots = [
        quantile_plot(data.groups[0], curves[0], group, curve)
        for group, curve in zip(data.groups[1:], curves[1:], strict=True)
    ]
    notes = []
    if (np.isfinite(data.upper) & ~data.exact).any():
        notes.append("events known to lie in an interval stand at its middle in these numbers.")
    proportional = None
    if len(groups) > 1:
        try:
            proportional = proportionality(data)
        except HeorError as error:
            notes.append(f"no test of proportional hazards: {error}.")
    return Diagnostics(
        risk_time=risk_time,
        groups=groups,
        quantiles=tuple(plot for plot in plots if plot is not None),
        proportional=proportional,
        notes=tuple(notes),
    )


def axis_step(span: float, per_year: float, columns: int = _RISK_COLUMNS) -> float:
    """Give a step of time that reads well in its unit, with at most so many steps in a span.

    Examples
    --------
    >>> axis_step(27.0, 12.0), axis_step(1022.0, 365.25)
    (3.0, 200.0)
    """
    for step in _STEPS.get(per_year, ()):
        if span / step <= columns:
            return float(step)
    power = 10.0 ** np.floor(np.log10(span / columns))
    return float(next(power * part for part in (1, 2, 5, 10) if power * part * columns >= span))


def _group(
    data: SurvivalData, curve: ObservedCurve, risk_time: FloatArray, bandwidth: float | None
) -> GroupDiagnostics:
    notes = []
    before = np.append(1.0, curve.survival[:-1])
    half = before - curve.survival >= 0.5 * before
    early = half & (curve.at_risk < _FEW) & (_entered(data, curve.time) < 0.5)
    if early.any():
        place = int(np.argmax(early))
        notes.append(
            f"Kaplan-Meier falls by half or more at time {curve.time[place]:.4g}, where only "
            f"{curve.at_risk[place]:g} had entered; the curve says little from there on."
        )
    hazard = None
    try:
        hazard = smoothed_hazard(data, bandwidth)
    except HeorError as error:
        if bandwidth is not None and "bandwidth" in str(error):
            where = f"{data.groups[0]}: " if data.groups[0] else ""
            raise HeorError(f"{where}{error}") from error
        notes.append(f"{error}.")
    return GroupDiagnostics(
        group=data.groups[0],
        observed=curve,
        at_risk=numbers_at_risk(data, risk_time),
        hazard=hazard,
        lines=straight_lines(curve),
        notes=tuple(notes),
    )


def _entered(data: SurvivalData, times: FloatArray) -> FloatArray:
    """Share of subjects who have entered before each time."""
    return 1.0 - weight_from(data.entry, data.weight, times) / data.subjects
