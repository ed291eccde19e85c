"""Patient data from a published Kaplan-Meier curve and its numbers at risk (methods 2.9).

The idea is that of Guyot, Ades, Ouwens & Welton 2012 (doi 10.1186/1471-2288-12-9): a fall of the
curve says how many of those at risk had the event, and what the next published number lacks beyond
them was censored. Here the published numbers are met exactly, events are whole people, and who was
censored when is what brings the curve nearest to the one read (`heor.fitting.people`). A published
total of events decides among the ways that do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from heor.errors import HeorError
from heor.fitting.data import SurvivalData, kaplan_meier, right_censored
from heor.fitting.digitised import Digitised
from heor.fitting.people import make_path, people
from heor.spec.parameters import FloatArray

#: Gaps between the two curves above this are pointed out.
WIDE_GAP = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRisk:
    """One published number at risk, and how many of the data made are at risk then."""

    time: float
    published: int
    made: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Patient data that agree with a published curve.

    Attributes
    ----------
    time, event : array ``(subject,)``
        Times and marks, 1 event and 0 censored, by time.
    curve : Digitised
        The curve read.
    largest_gap, largest_gap_at, mean_gap : float
        Largest distance of the two curves at the points read, its time, and the mean distance.
    median_read, median_made : float
        Medians of the curve read and of the data made; NaN where it is not reached.
    until, mean_read, mean_made : float
        End of the curve, and the restricted mean survival times up to it.
    at_risk : tuple of AtRisk
    events : int
        Events made.
    events_published : int or None
    repairs, warnings : tuple of str
        What was changed in the curve; what to look at.
    """

    time: FloatArray
    event: FloatArray
    curve: Digitised
    largest_gap: float
    largest_gap_at: float
    mean_gap: float
    median_read: float
    median_made: float
    until: float
    mean_read: float
    mean_made: float
    at_risk: tuple[AtRisk, ...]
    events: int
    events_published: int | None
    repairs: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def data(self) -> SurvivalData:
        """The same for fitting."""
        return right_censored(self.time, self.event)


def reconstruct(
    curve: Digitised,
    risk_time: Sequence[float],
    at_risk: Sequence[float],
    events: int | None = None,
    events_by: Sequence[float] | None = None,
) -> Reconstruction:
    """Make patient data that agree with a curve and its numbers at risk.

    Parameters
    ----------
    curve : Digitised
    risk_time, at_risk : sequence of float
        Published numbers at risk; the first at time 0.
    events : int, optional
        Total events, when published.
    events_by : sequence of float, optional
        Events before each number at risk, when published.

    Raises
    ------
    HeorError
        When the numbers at risk contradict themselves or the curve.
    """
    times, numbers = np.asarray(risk_time, dtype=float), np.asarray(at_risk, dtype=float)
    _check(times, numbers, events)
    repairs = list(curve.repairs)
    curve, times, numbers = _same_reach(curve, times, numbers, repairs)
    died = None if events_by is None else np.asarray(events_by, dtype=float)
    time, event = people(make_path(curve, times), times, numbers, died, events)
    return _reported(curve, time, event, times, numbers, events, repairs)


def events_before(each: Sequence[float], curve: Digitised) -> tuple[tuple[float, ...], int]:
    """Events before each row and in all, of a table with a row per point.

    On a grid a row counts the events since the row before, else those at its time.
    """
    total = np.cumsum(each)
    before = total if curve.sampled else np.append(0.0, total[:-1])
    return tuple(before.tolist()), int(total[-1])


def _check(times: FloatArray, numbers: FloatArray, events: int | None) -> None:
    if not len(times) or times[0] != 0 or len(times) != len(numbers):
        raise HeorError("the numbers at risk must start with that at time 0")
    if (np.diff(times) <= 0).any() or (np.diff(numbers) > 0).any() or numbers[-1] < 0:
        raise HeorError("times of the numbers at risk must rise and the numbers must not")
    if (numbers != np.round(numbers)).any() or numbers[0] < 1:
        raise HeorError("numbers at risk are whole people, one or more at time 0")
    if events is not None and not 0 <= events <= numbers[0]:
        raise HeorError(f"{events:g} events among {numbers[0]:g} people at risk at time 0")


def _same_reach(
    curve: Digitised, times: FloatArray, numbers: FloatArray, repairs: list[str]
) -> tuple[Digitised, FloatArray, FloatArray]:
    """Let the curve reach the last people at risk, and have a point of a grid at each number."""
    end = float(curve.time[-1])
    late = times[(times > end) & (numbers > 0)]
    if len(late) and late[-1] > 2 * end:
        raise HeorError(
            f"numbers at risk reach time {late[-1]:g}, the curve only {end:g}: are both in the same"
            " time unit?"
        )
    if len(late):
        repairs.append(f"the curve was drawn on, level, from time {end:.4g} to {late[-1]:.4g}")
        curve = replace(
            curve,
            time=np.append(curve.time, late[-1]),
            survival=np.append(curve.survival, curve.survival[-1]),
        )
    kept = times <= curve.time[-1]
    return curve, times[kept], numbers[kept]


def _reported(
    curve: Digitised,
    time: FloatArray,
    event: FloatArray,
    times: FloatArray,
    numbers: FloatArray,
    events: int | None,
    repairs: Sequence[str],
) -> Reconstruction:
    steps, survival = np.empty(0), np.empty(0)
    if event.any():
        steps, survival = kaplan_meier(right_censored(time, event))
    made = Digitised(time=np.append(0.0, steps), survival=np.append(1.0, survival))
    gap = np.abs(made.at(curve.time) - curve.survival)
    worst = int(np.argmax(gap))
    until = float(curve.time[-1])
    return Reconstruction(
        time=time,
        event=event,
        curve=curve,
        largest_gap=float(gap[worst]),
        largest_gap_at=float(curve.time[worst]),
        mean_gap=float(gap.mean()),
        median_read=curve.median,
        median_made=made.median,
        until=until,
        mean_read=curve.restricted_mean(until),
        mean_made=made.restricted_mean(until),
        at_risk=tuple(
            AtRisk(time=float(t), published=int(n), made=int((time >= t).sum()))
            for t, n in zip(times, numbers, strict=True)
        ),
        events=int(event.sum()),
        events_published=events,
        repairs=tuple(repairs),
        warnings=tuple(_warnings(curve, gap, made, events, int(event.sum()), len(numbers))),
    )


def _warnings(
    curve: Digitised,
    gap: FloatArray,
    made: Digitised,
    published: int | None,
    events: int,
    rows: int,
) -> list[str]:
    """Say what a reader should look at before using the data."""
    found = []
    worst = int(np.argmax(gap))
    if gap[worst] > WIDE_GAP:
        found.append(
            f"the curve made differs by {gap[worst]:.3f} at time {curve.time[worst]:.4g}; the "
            "curve read and the numbers at risk do not agree there, or very few are left"
        )
    if published is not None and published != events:
        found.append(
            f"{published} events are published, {events} made: curve, numbers at risk and events "
            "do not agree"
        )
    if rows == 1:
        found.append(
            "with the number at risk at time 0 alone, who was censored when is a guess; hazard "
            "ratios and tails from these data are weak"
        )
    if np.isnan(curve.median) != np.isnan(made.median):
        found.append("the median is reached in one of the curves only: it lies at a level step")
    return found
