"""Patient data from a published Kaplan-Meier curve and its numbers at risk.

The idea is that of Guyot, Ades, Ouwens & Welton 2012 (doi 10.1186/1471-2288-12-9): between two
published numbers at risk, choose the number censored so that the next one comes out, with events
where the curve falls. The curve is made to fall first, as later refinements ask (Liu, Zhou & Lee
2021, doi 10.1186/s12874-021-01308-8), and what was repaired is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heor.errors import HeorError
from heor.fitting.data import SurvivalData, kaplan_meier, right_censored
from heor.spec.parameters import FloatArray

#: Survival above this is read as percent.
_PERCENT = 1.5

#: Rises of a digitised curve below this are noise of the pointer.
SMALL_RISE = 0.02

#: Rounds in which the number censored in an interval is put right.
_ROUNDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Digitised:
    """A curve as it was read off a figure, put in order.

    Attributes
    ----------
    time, survival : array ``(point,)``
        Rising times from 0, falling survival from 1.
    repairs : tuple of str
        What was changed, in words.
    sampled : bool
        The points lie on an even grid, so that a fall happened somewhere since the point before;
        else each point is taken as the place where the curve falls.
    """

    time: FloatArray
    survival: FloatArray
    repairs: tuple[str, ...]
    sampled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Patient data that agree with a published curve.

    Attributes
    ----------
    time, event : array ``(subject,)``
        Times and marks, 1 event and 0 censored.
    curve : Digitised
    largest_gap, mean_gap : float
        Largest and root-mean-square distance of the two curves at the points read off.
    median_read, median_made : float
        Medians of the curve read and of the data made; NaN where it is not reached.
    at_risk : tuple of (float, float, int)
        Time, number published and number made.
    events : int
        Events made.
    """

    time: FloatArray
    event: FloatArray
    curve: Digitised
    largest_gap: float
    mean_gap: float
    median_read: float
    median_made: float
    at_risk: tuple[tuple[float, float, int], ...]
    events: int

    @property
    def data(self) -> SurvivalData:
        """The same for fitting."""
        return right_censored(self.time, self.event)


def put_in_order(time: Sequence[float], survival: Sequence[float]) -> Digitised:
    """Repair what digitising leaves: order, percent, a missing start, small rises.

    Raises
    ------
    HeorError
        When there are fewer than two points or a number makes no sense.
    """
    at, alive = np.asarray(time, dtype=float), np.asarray(survival, dtype=float)
    repairs: list[str] = []
    if len(at) != len(alive) or len(at) < 2:
        raise HeorError("a curve needs at least two points, a time and a survival each")
    if not (np.isfinite(at).all() and np.isfinite(alive).all()):
        raise HeorError("every point of a curve needs a time and a survival")
    if alive.max() > _PERCENT:
        alive = alive / 100.0
        repairs.append("survival was in percent")
    if alive.max() > 1.05 or alive.min() < -0.05:
        raise HeorError(
            f"survival must be between 0 and 1 (or 0 and 100), found {alive.min():g} to "
            f"{alive.max():g}"
        )
    order = np.lexsort((-alive, at))
    if (order != np.arange(len(at))).any():
        at, alive = at[order], alive[order]
        repairs.append("points were sorted by time")
    early = at < 0
    if early.any():
        repairs.append(f"{int(early.sum())} points before time 0 were moved to 0")
        at = np.maximum(at, 0.0)
    if at[0] > 0:
        repairs.append("the start at time 0 with survival 1 was added")
        at, alive = np.append(0.0, at), np.append(1.0, alive)
    elif (alive[at == 0] < 1.0).any():
        repairs.append("survival at time 0 was set to 1")
        alive = np.where(at == 0, 1.0, alive)
    alive = np.clip(alive, 0.0, 1.0)
    falling = np.minimum.accumulate(alive)
    rise = float((alive - falling).max())
    if rise > 0:
        repairs.append(f"rises were levelled, the largest of {rise:.4f}")
        if rise > SMALL_RISE:
            falling = _pooled(alive)
    last = np.append(at[1:] > at[:-1], True)
    steps = np.diff(at[last])
    even = len(steps) > 5 and np.mean(np.abs(steps / np.median(steps) - 1.0) < 0.01) > 0.8
    return Digitised(
        time=at[last], survival=falling[last], repairs=tuple(repairs), sampled=bool(even)
    )


def _pooled(values: FloatArray) -> FloatArray:
    """Closest falling curve by least squares: neighbours that rise are averaged."""
    levels: list[list[float]] = []
    for value in values.tolist():
        levels.append([value, 1.0])
        while len(levels) > 1 and levels[-1][0] > levels[-2][0]:
            high, count = levels.pop()
            low, before = levels[-1]
            levels[-1] = [(low * before + high * count) / (before + count), before + count]
    found: FloatArray = np.concatenate([np.full(int(n), level) for level, n in levels])
    found[0] = 1.0
    return np.minimum.accumulate(found)


def reconstruct(
    curve: Digitised,
    risk_time: Sequence[float],
    at_risk: Sequence[float],
    events: int | None = None,
) -> Reconstruction:
    """Make patient data that agree with a curve and its numbers at risk.

    Parameters
    ----------
    curve : Digitised
    risk_time, at_risk : sequence of float
        Published numbers at risk; the first at time 0.
    events : int, optional
        Total events, when published; they decide what happens after the last number at risk.

    Raises
    ------
    HeorError
        When the numbers at risk rise or do not start at 0.
    """
    times, numbers = np.asarray(risk_time, dtype=float), np.asarray(at_risk, dtype=float)
    if not len(times) or times[0] != 0 or len(times) != len(numbers):
        raise HeorError("the numbers at risk must start with that at time 0")
    if (np.diff(times) <= 0).any() or (np.diff(numbers) > 0).any() or numbers[-1] < 0:
        raise HeorError("times of the numbers at risk must rise and the numbers must not")
    kept = times <= curve.time[-1]
    times, numbers = times[kept], numbers[kept]
    maker = _Maker(curve, float(numbers[0]))
    for place in range(len(times) - 1):
        maker.interval(float(times[place]), float(times[place + 1]), float(numbers[place + 1]))
    maker.finish(float(times[-1]), events)
    time, event = maker.result()
    return _reported(curve, time, event, times, numbers)


class _Maker:
    """Walks along the curve, interval by interval."""

    def __init__(self, curve: Digitised, start: float) -> None:
        self._time, self._survival = curve.time, curve.survival
        self._sampled = curve.sampled
        self._left, self._level = start, 1.0
        self._events: list[tuple[int, int]] = []
        self._censored: list[float] = []
        self._exposure = 0.0

    def _points(self, start: float, stop: float, *, last: bool = False) -> list[int]:
        # a fall seen at a point of an even grid happened before it
        closed = last or self._sampled
        before = (self._time <= stop) if closed else (self._time < stop)
        inside = before & (self._time > start)
        if start > 0 and not self._sampled:
            inside |= self._time == start
        return [int(place) for place in np.flatnonzero(inside)]

    def _walk(
        self, points: Sequence[int], censored: FloatArray
    ) -> tuple[float, float, list[tuple[int, int]]]:
        """Number left, level reached and events, when these times are censored."""
        left, level = self._left, self._level
        events: list[tuple[int, int]] = []
        gone = 0
        for point in points:
            time = float(self._time[point])
            before = int(np.searchsorted(censored, time, side="left"))
            left -= before - gone
            gone = before
            if left <= 0:
                break
            died = round(left * (1.0 - float(self._survival[point]) / level)) if level > 0 else 0
            died = min(max(died, 0), int(left))
            if died:
                events.append((point, died))
                level *= 1.0 - died / left
                left -= died
        return left - (len(censored) - gone), level, events

    def _keep(self, points: Sequence[int], censored: FloatArray) -> None:
        self._left, self._level, events = self._walk(points, censored)
        self._left = max(self._left, 0.0)
        self._events += events
        self._censored += censored.tolist()

    def interval(self, start: float, stop: float, wanted: float) -> None:
        """Choose how many are censored so that ``wanted`` are at risk at ``stop``."""
        points = self._points(start, stop)
        count = 0
        best, best_off = 0, np.inf
        for _ in range(_ROUNDS):
            left, _, _ = self._walk(points, _evenly(start, stop, count))
            off = left - wanted
            if abs(off) < best_off:
                best, best_off = count, abs(off)
            if off == 0 or (off < 0 and count == 0):
                break
            step = int(np.sign(off) * max(1, abs(round(off))))
            count = max(0, min(count + step, int(self._left)))
            if abs(off) >= best_off and count == best:
                break
        self._exposure += (stop - start) * (self._left + wanted) / 2
        self._keep(points, _evenly(start, stop, best))

    def finish(self, start: float, wanted: int | None) -> None:
        """After the last number at risk: as many events as published, else steady censoring."""
        stop = float(self._time[-1])
        points = self._points(start, stop, last=True)
        made = sum(died for _, died in self._events)
        most = int(self._left)
        if wanted is not None:
            offs = []
            for count in range(most + 1):
                _, _, events = self._walk(points, _evenly(start, stop, count))
                offs.append(abs(made + sum(died for _, died in events) - wanted))
            count = int(np.argmin(offs)) if offs else 0
        elif self._exposure > 0 and stop > start:
            rate = len(self._censored) / self._exposure
            count = min(most, round(rate * (stop - start) * self._left * 0.75))
        else:
            count = 0
        self._keep(points, _evenly(start, stop, count))
        self._censored += [stop] * int(self._left)

    def _when(self, place: int, died: int) -> list[float]:
        """Times of the events of one point: there, or spread since the point before."""
        stop = float(self._time[place])
        if not self._sampled or place == 0:
            return [stop] * died
        start = float(self._time[place - 1])
        return [float(time) for time in _evenly(start, stop, died)]

    def result(self) -> tuple[FloatArray, FloatArray]:
        """Give times and marks, events first at equal times."""
        times = [at for place, died in self._events for at in self._when(place, died)]
        times += self._censored
        marks = [1.0] * sum(died for _, died in self._events) + [0.0] * len(self._censored)
        order = np.lexsort((-np.array(marks), np.array(times)))
        return np.array(times)[order], np.array(marks)[order]


def _evenly(start: float, stop: float, count: int) -> FloatArray:
    """Times spread evenly inside an interval."""
    result: FloatArray = start + (stop - start) * (np.arange(count) + 0.5) / max(count, 1)
    return result


def _reported(
    curve: Digitised, time: FloatArray, event: FloatArray, times: FloatArray, numbers: FloatArray
) -> Reconstruction:
    steps, survival = kaplan_meier(right_censored(np.maximum(time, 1e-12), event))
    place = np.searchsorted(steps, curve.time, side="right")
    made = np.append(1.0, survival)[place]
    gap = np.abs(made - curve.survival)
    return Reconstruction(
        time=time,
        event=event,
        curve=curve,
        largest_gap=float(gap.max()),
        mean_gap=float(np.sqrt(np.mean(gap**2))),
        median_read=_median(curve.time, curve.survival),
        median_made=_median(steps, survival),
        at_risk=tuple(
            (float(t), float(n), int((time >= t).sum()))
            for t, n in zip(times, numbers, strict=True)
        ),
        events=int(event.sum()),
    )


def _median(time: FloatArray, survival: FloatArray) -> float:
    below = np.flatnonzero(survival <= 0.5)
    return float(time[below[0]]) if len(below) else float("nan")
