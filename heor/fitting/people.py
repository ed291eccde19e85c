"""The search for people whose Kaplan-Meier curve is the one read (methods 2.9).

Along the points of the curve, some were censored since the point before and some have the event:
whole people. Many ways to do so are followed at once. A way costs what its curve is off, in units
of the error of reading, and a little for censoring that is not even; at each published number at
risk it must have that many left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.fitting.digitised import Digitised
from heor.spec.parameters import FloatArray

#: Typical error of survival read off a figure; it weighs the curve against steady censoring.
READING_ERROR = 0.001

#: Ways to people the curve that are followed at once, and of those with the same number of events.
_WAYS, _WAYS_ALIKE = 200, 20

#: Censored more or fewer than steady censoring gives, in steps.
_CENSORED = np.arange(-4.0, 5.0)

#: Events more or fewer than brings the curve nearest.
_DIED = np.array([-1.0, 0.0, 1.0])

#: Share of the censored of a gap who stand before its events: where events have a place of their
#: own, on a grid, and on a grid with so few left that the order shows.
_BEFORE, _AMONG, _ANY_ORDER = np.array([1.0]), np.array([0.5]), np.array([0.5, 0.0, 1.0])
FEW = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Points to walk along: those read and, on a grid, one at each number at risk between them.

    Attributes
    ----------
    time, survival : array ``(point,)``
    weight : array ``(point,)``
        What the squared gap to the curve costs there; 0 where the point was not read.
    sampled : bool
        As in `Digitised`.
    """

    time: FloatArray
    survival: FloatArray
    weight: FloatArray
    sampled: bool


def make_path(curve: Digitised, times: FloatArray) -> Path:
    """Points of a curve, and on a grid those at the times of numbers at risk too."""
    missing = np.setdiff1d(times, curve.time) if curve.sampled else np.empty(0)
    time = np.append(curve.time, missing)
    order = np.argsort(time, kind="stable")
    sure = 1.0 / (2 * max(READING_ERROR, 2 * curve.noise) ** 2)
    # a level that lasts long counts for more than the two clicks at its ends
    lasts = np.append(np.diff(curve.time), 0.0) * len(curve.time) / (curve.time[-1] - curve.time[0])
    weight = np.append(sure * (0.5 + 0.5 * np.minimum(lasts, 20)), np.zeros(len(missing)))
    return Path(
        time=time[order],
        survival=np.append(curve.survival, np.interp(missing, curve.time, curve.survival))[order],
        weight=weight[order],
        sampled=curve.sampled,
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of all ways: its times; per way the one before, events, censored and their order.

    ``early`` is the share of the censored who stand before the events of the gap.
    """

    start: float
    stop: float
    parent: NDArray[np.intp]
    died: NDArray[np.intp]
    lost: NDArray[np.intp]
    early: FloatArray


class _Beam:
    """The best ways found so far to people the path, each a row of the arrays."""

    def __init__(self, start: int) -> None:
        self.events = np.zeros(1, dtype=np.intp)
        self.censored = np.zeros(1, dtype=np.intp)
        self.level, self.cost = np.ones(1), np.zeros(1)
        self.start = start
        self.steps: list[_Step] = []

    @property
    def left(self) -> NDArray[np.intp]:
        """Number at risk."""
        return np.asarray(self.start - self.events - self.censored)

    def keep(
        self,
        span: tuple[float, float],
        parent: NDArray[np.intp],
        died: NDArray[np.intp],
        lost: NDArray[np.intp],
        early: FloatArray,
        level: FloatArray,
        cost: FloatArray,
        target: float,
    ) -> None:
        """Take a step: of ways alike the best, and of those the best few.

        Alike are ways with the same numbers whose levels are within half a person.
        """
        events, censored = self.events[parent] + died, self.censored[parent] + lost
        order = np.argsort(cost, kind="stable")
        left = np.maximum(self.start - events - censored, 1)
        lag = np.round((level - target) / max(target, 1e-6) * 2 * left)
        keys = (events * (self.start + 1) + censored) * 16 + np.clip(lag, -7, 8).astype(np.intp)
        _, first = np.unique(keys[order], return_index=True)
        order = order[np.sort(first)]
        order = order[_turn(events[order]) < _WAYS_ALIKE][:_WAYS]
        self.events, self.censored = events[order], censored[order]
        self.level, self.cost = level[order], cost[order]
        self.steps.append(_Step(*span, parent[order], died[order], lost[order], early[order]))

    def end(self, span: tuple[float, float], rows: NDArray[np.intp], after: int) -> None:
        """Go on with these ways, so many at risk in each: the others are censored."""
        lost = self.left[rows] - after
        level = self.level[rows]
        none, early = np.zeros_like(rows), np.full(len(rows), 0.5)
        self.keep(span, rows, none, lost, early, level, self.cost[rows], float(level[0]))

    def subjects(self, row: int, sampled: bool) -> tuple[FloatArray, FloatArray]:
        """Times and marks of one way, by time, events first at equal times."""
        events: list[float] = []
        censored: list[float] = []
        for step in reversed(self.steps):
            count, start, stop = int(step.died[row]), step.start, step.stop
            middle = (start + stop) / 2
            early = float(step.early[row]) if sampled and count else 0.5
            first = (start, stop) if early == 0.5 else (start, middle)
            second = (start, stop) if early == 0.5 else (middle, stop)
            mine, theirs = (second, first) if early == 1.0 else (first, second)
            events += _evenly(*mine, count).tolist() if sampled else [stop] * count
            censored += _evenly(*theirs, int(step.lost[row])).tolist()
            row = int(step.parent[row])
        time = np.array(events + censored)
        mark = np.array([1.0] * len(events) + [0.0] * len(censored))
        order = np.lexsort((-mark, time))
        return time[order], mark[order]


def _turn(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many of the same label stand before each."""
    order = np.argsort(labels, kind="stable")
    _, first, inverse = np.unique(labels[order], return_index=True, return_inverse=True)
    turn = np.empty(len(labels), dtype=np.intp)
    turn[order] = np.arange(len(labels)) - first[inverse]
    return turn


def _evenly(start: float, stop: float, count: int) -> FloatArray:
    """Times spread evenly inside an interval."""
    result: FloatArray = start + (stop - start) * (np.arange(count) + 0.5) / max(count, 1)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """An interval between two numbers at risk, or after the last.

    ``after`` is the number at risk at its end, 0 after the last; ``steady`` how many would be
    censored if they were so evenly, and ``loose`` how far from it their number may easily be.
    """

    start: float
    stop: float
    points: NDArray[np.intp]
    after: int
    steady: float
    loose: float


def people(
    path: Path,
    times: FloatArray,
    numbers: FloatArray,
    died: FloatArray | None,
    total: int | None,
) -> tuple[FloatArray, FloatArray]:
    """Times and marks of the people that agree best with path, numbers at risk and events."""
    beam, level, exposure = _Beam(int(numbers[0])), 1.0, 0.0
    for place in range(len(times) - 1):
        start, stop = float(times[place]), float(times[place + 1])
        before, after = int(numbers[place]), int(numbers[place + 1])
        points = _inside(path, start, stop)
        hazard = _hazards(path, points, level)
        steady = _steady(path, points, hazard, (start, stop), before, left=after)
        span = _Span(start=start, stop=stop, points=points, after=after, steady=steady, loose=0.0)
        _walk(beam, path, span)
        _close(beam, span, None if died is None else int(died[place + 1]))
        level = float(beam.level[0])
        exposure += (stop - start) * (before + after) / 2
    _last(beam, path, float(times[-1]), level, total, exposure)
    missed = np.zeros(len(beam.cost)) if total is None else np.abs(beam.events - total)
    best = int(np.lexsort((beam.cost, missed))[0])
    return beam.subjects(best, path.sampled)


def _inside(path: Path, start: float, stop: float) -> NDArray[np.intp]:
    """Points whose falls lie in an interval.

    The fall at a point of a grid happened before it. A fall at a point read as its place counts
    among those at risk then, so it belongs to the interval that begins there.
    """
    if path.sampled:
        return np.flatnonzero((path.time > start) & (path.time <= stop))
    inside = (path.time >= start) & (path.time < stop) & (path.time > 0)
    return np.flatnonzero(inside)


def _hazards(path: Path, points: NDArray[np.intp], level: float) -> FloatArray:
    """Share of those at risk who have the event at each point."""
    reached = np.append(level, np.minimum(path.survival[points], level))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(reached[:-1] > 0, 1.0 - reached[1:] / reached[:-1], 0.0)


def _steady(
    path: Path,
    points: NDArray[np.intp],
    hazard: FloatArray,
    span: tuple[float, float],
    before: int,
    *,
    left: int | None = None,
    events: int | None = None,
) -> float:
    """How many, censored evenly, give the number at risk at the end or the events in between."""
    start, stop = span
    counts = np.linspace(0.0, before, 201)
    now, alive, died = start, np.full(len(counts), float(before)), np.zeros(len(counts))
    for point, share in zip(points, hazard, strict=True):
        when = _moment(path, int(point), start)
        alive = np.maximum(alive - counts * (when - now) / (stop - start), 0.0)
        died += alive * share
        alive, now = alive * (1.0 - share), when
    alive = np.maximum(alive - counts * (stop - now) / (stop - start), 0.0)
    off = (
        np.abs(died - events)
        if left is None and events is not None
        else np.abs(alive - (left or 0))
    )
    return float(counts[np.argmin(off)])


def _moment(path: Path, point: int, start: float) -> float:
    """When the events of a point happen: there, or in the middle since the point before."""
    when = float(path.time[point])
    return (when + max(float(path.time[point - 1]), start)) / 2 if path.sampled else when


def _walk(beam: _Beam, path: Path, span: _Span) -> None:
    """Go along the points of an interval; at each, some were censored since and some die."""
    base = beam.censored.copy()
    entry = np.arange(len(base))
    now = span.start
    for place in span.points:
        when, target = float(path.time[place]), float(path.survival[place])
        share = (when - span.start) / (span.stop - span.start) if span.stop > span.start else 0.0
        spread = max(1.0, (span.steady * share * (1.0 - share)) ** 0.5, span.loose * share)
        since = beam.censored - base[entry]
        wide = max(1, round(spread / 2))
        goal = np.round(span.steady * share + wide * _CENSORED)
        lost = np.concatenate([np.zeros((len(since), 1)), goal - since[:, None]], axis=1)
        room = (beam.left - span.after)[:, None]
        lost = np.clip(lost, 0, room if when > now else 0)
        # on a grid the censored of a gap may stand before, among or after its events
        early = _AMONG if path.sampled else _BEFORE
        if path.sampled and beam.left.min() < FEW:
            early = _ANY_ORDER
        at_risk = beam.left[:, None, None] - lost[:, :, None] * early
        held = beam.level[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.where(held > 0, at_risk * (1.0 - target / held), 0.0)
        died = np.round(expected)[..., None] + _DIED
        died = np.clip(died, 0, (room - lost)[:, :, None, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            fall = np.where(at_risk[..., None] > 0, died / at_risk[..., None], 0.0)
        level = held[..., None] * np.maximum(1.0 - fall, 0.0)
        off = since[:, None] + lost - span.steady * share
        uneven = off**2 / (2 * spread**2) / len(span.points)
        cost = beam.cost[:, None, None, None] + path.weight[place] * (level - target) ** 2
        cost = cost + uneven[:, :, None, None]
        shape = cost.shape
        way = np.arange(shape[0])[:, None, None, None]
        beam.keep(
            (now, when),
            np.broadcast_to(way, shape).ravel(),
            died.astype(np.intp).ravel(),
            np.broadcast_to(lost[:, :, None, None], shape).astype(np.intp).ravel(),
            np.broadcast_to(early[None, None, :, None], shape).ravel(),
            level.ravel(),
            cost.ravel(),
            target,
        )
        entry = entry[beam.steps[-1].parent]
        now = when


def _close(beam: _Beam, span: _Span, known: int | None) -> None:
    """End an interval: whoever is over the number at risk is censored before it.

    ``known`` is the number of events up to then where it is published; ways that miss it go.
    """
    now = beam.steps[-1].stop if len(span.points) else span.start
    if now == span.stop:  # a point of a grid: before it, so as not to be at risk there
        now = (beam.steps[-1].start + span.stop) / 2
    rows = np.arange(len(beam.cost))
    if known is not None:
        missed = np.abs(beam.events - known)
        rows = np.flatnonzero(missed == missed.min())
    beam.end((now, span.stop), rows, span.after)


def _last(
    beam: _Beam,
    path: Path,
    start: float,
    level: float,
    total: int | None,
    exposure: float,
) -> None:
    """After the last number at risk: events up to the total, else censoring as before."""
    stop = float(path.time[-1])
    points = np.flatnonzero((path.time > start) if path.sampled else (path.time >= start))
    points = points[path.time[points] > 0]
    left = int(beam.left[0])
    if len(points) and left:
        hazard = _hazards(path, points, level)
        steady = 0.0
        if exposure > 0:
            steady = float(beam.censored[0]) / exposure * (stop - start) * left
            steady = min(steady * (1.0 + float(np.prod(1.0 - hazard))) / 2, float(left))
        elif total is not None and stop > start:
            wanted = total - int(beam.events[0])
            steady = _steady(path, points, hazard, (start, stop), left, events=wanted)
        span = _Span(
            start=start, stop=stop, points=points, after=0, steady=steady, loose=max(steady, 1.0)
        )
        _walk(beam, path, span)
    beam.end((stop, stop), np.arange(len(beam.cost)), 0)
