"""A Kaplan-Meier curve as it was read off a figure, and its repair.

Whoever clicks along a curve leaves percentages, a missing start, small rises, clicks out of order
and clicks beside the curve. What can be mended without guessing is mended and said; the rest is
refused. (That a curve must fall before it is used: Liu, Zhou & Lee 2021,
doi 10.1186/s12874-021-01308-8.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.errors import HeorError
from heor.spec.parameters import FloatArray

#: Survival above this is read as percent.
PERCENT = 1.5

#: How far above 1 or below 0 a pointer may slip.
SLIP = 0.05

#: A click this far from both its neighbours, on a falling curve, is beside the curve.
BESIDE = 0.05

#: Rises above this are more than noise of the pointer.
SMALL_RISE = 0.02

#: Share of the time axis by which a click may lie before the one made before it.
TIME_SLIP = 0.01

#: How even an even grid is, and the share of its steps that must be so.
_EVEN, _MOST = 0.25, 0.8


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
    noise : float
        Typical size of the rises that were levelled; 0 where there were none.
    """

    time: FloatArray
    survival: FloatArray
    repairs: tuple[str, ...] = ()
    sampled: bool = False
    noise: float = 0.0

    def at(self, when: FloatArray) -> FloatArray:
        """Survival at each time: a step function, on an even grid joined by lines."""
        if self.sampled:
            return np.interp(when, self.time, self.survival)
        place = np.searchsorted(self.time, when, side="right") - 1
        return np.asarray(self.survival[np.maximum(place, 0)])

    @property
    def median(self) -> float:
        """Time at which half are left; NaN where the curve ends above."""
        below = np.flatnonzero(self.survival <= 0.5)
        if not len(below):
            return float("nan")
        place = int(below[0])
        if not self.sampled:
            return float(self.time[place])
        (start, stop), (high, low) = self.time[place - 1 : place + 1], self._pair(place)
        return float(start + (stop - start) * (high - 0.5) / (high - low))

    def _pair(self, place: int) -> tuple[float, float]:
        return float(self.survival[place - 1]), float(self.survival[place])

    def restricted_mean(self, until: float) -> float:
        """Area under the curve up to a time, which lies within the points."""
        times = np.append(self.time[self.time < until], until)
        alive = self.at(times)
        if self.sampled:
            return float(np.trapezoid(alive, times))
        return float((np.diff(times) * alive[:-1]).sum())


def put_in_order(time: Sequence[float], survival: Sequence[float]) -> Digitised:
    """Repair what digitising leaves: order, percent, a missing start, clicks beside, small rises.

    Raises
    ------
    HeorError
        When there are fewer than two points, a number makes no sense or the curve rises.
    """
    at, alive = np.asarray(time, dtype=float), np.asarray(survival, dtype=float)
    if len(at) != len(alive) or len(at) < 2:
        raise HeorError("a curve needs at least two points, a time and a survival each")
    if not (np.isfinite(at).all() and np.isfinite(alive).all()):
        raise HeorError("every point of a curve needs a time and a survival")
    repairs: list[str] = []
    if alive.max() > PERCENT:
        alive = alive / 100.0
        repairs.append("survival was in percent")
    if alive.max() > 1 + SLIP or alive.min() < -SLIP:
        raise HeorError(
            f"survival must be between 0 and 1 (or 0 and 100), found {alive.min():g} to "
            f"{alive.max():g}"
        )
    if (alive > 1).any() or (alive < 0).any():
        count = int(((alive > 1) | (alive < 0)).sum())
        repairs.append(f"{_points(count)} above 1 or below 0 moved onto it")
        alive = np.clip(alive, 0.0, 1.0)
    at, alive = _sorted(at, alive, repairs)
    at, alive = _from_the_start(at, alive, repairs)
    at, alive = _on_the_curve(at, alive, repairs)
    falling = _falling(at, alive, repairs)
    noise = float(np.sqrt(np.mean((alive - falling) ** 2)))
    last = np.append(at[1:] > at[:-1], True)
    if last.sum() < 2:
        raise HeorError("all points of the curve have the same time")
    return Digitised(
        time=at[last],
        survival=falling[last],
        repairs=tuple(repairs),
        sampled=_is_even(at, last),
        noise=noise,
    )


def _points(count: int) -> str:
    return f"{count} point{'' if count == 1 else 's'}"


def _sorted(at: FloatArray, alive: FloatArray, repairs: list[str]) -> tuple[FloatArray, FloatArray]:
    """Points by time; clicks a hair's breadth before the click made before them keep their turn."""
    slip = TIME_SLIP * float(np.ptp(at))
    back = np.maximum.accumulate(at) - at
    if (back > slip).any():
        order = np.lexsort((-alive, at))
        at, alive = at[order], alive[order]
        repairs.append("points were sorted by time")
    elif back.any():
        repairs.append(
            f"{_points(int((back > 0).sum()))} up to {back.max():.3g} before the click before "
            "moved beside it"
        )
        at = _pooled(at)
    same = np.append(False, (np.diff(at) == 0) & (np.diff(alive) == 0))
    if same.any():
        repairs.append(f"{_points(int(same.sum()))} that stood there twice left out")
    return at[~same], alive[~same]


def _from_the_start(
    at: FloatArray, alive: FloatArray, repairs: list[str]
) -> tuple[FloatArray, FloatArray]:
    early = at < 0
    if early.any():
        if -at.min() > 0.05 * at.max():
            raise HeorError(f"times must be 0 or more, found {at.min():g}")
        repairs.append(f"{_points(int(early.sum()))} before time 0 moved to it")
        at = np.maximum(at, 0.0)
    if at[0] > 0:
        repairs.append("the start, survival 1 at time 0, was added")
        return np.append(0.0, at), np.append(1.0, alive)
    if alive[0] < 0.5:
        raise HeorError(
            f"survival at time 0 is {alive[0]:.4g}; it must be 1. Are these the points of one"
            " curve, and survival, not a cumulative incidence?"
        )
    if alive[0] < 1.0:
        repairs.append(f"survival at time 0 was {alive[0]:.4g} and was set to 1")
        alive = np.where(np.arange(len(at)) == 0, 1.0, alive)
    return at, alive


def _on_the_curve(
    at: FloatArray, alive: FloatArray, repairs: list[str]
) -> tuple[FloatArray, FloatArray]:
    """Leave out clicks beside the curve: a falling one has no lone peak and no lone dip."""
    if len(at) < 4:
        return at, alive
    threes = np.sort(np.stack([alive[:-2], alive[1:-1], alive[2:]]), axis=0)
    away = np.zeros(len(at))
    away[1:-1] = np.abs(alive[1:-1] - threes[1])
    # of a peak and the dip beside it, the one that stands out more
    near = np.maximum(np.append(away[1:], 0.0), np.append(0.0, away[:-1]))
    off = (away > BESIDE) & (away >= near)
    for place in np.flatnonzero(off):
        repairs.append(
            f"the point at time {at[place]:.4g} with survival {alive[place]:.4g} lies beside the "
            "curve and was left out"
        )
    return at[~off], alive[~off]


def _falling(at: FloatArray, alive: FloatArray, repairs: list[str]) -> FloatArray:
    """Give the falling curve nearest to the points, the start at 1."""
    falling = _pooled(-alive) * -1.0
    falling[at == 0] = np.maximum(falling[at == 0], alive[at == 0])
    falling[0] = 1.0
    rises = alive - np.minimum.accumulate(alive)
    worst = int(np.argmax(rises))
    if rises[worst] <= 0:
        return falling
    if rises[worst] > 0.2:
        raise HeorError(
            f"survival rises by {rises[worst]:.4g} to {alive[worst]:.4g} at time {at[worst]:.4g};"
            " it must fall. Are these the points of one curve, and survival, not a cumulative"
            " incidence?"
        )
    more = "; look at the points there" if rises[worst] > SMALL_RISE else ""
    repairs.append(
        f"rises were levelled, the largest of {rises[worst]:.4f} at time {at[worst]:.4g}{more}"
    )
    return falling


def _is_even(at: FloatArray, last: NDArray[np.bool_]) -> bool:
    """Whether the points lie on an even grid, one point a time."""
    steps = np.diff(at[last])
    if len(steps) < 6 or last.mean() < _MOST:
        return False
    middle = np.median(steps)
    return bool(np.mean(np.abs(steps / middle - 1.0) < _EVEN) > _MOST)


def _pooled(values: FloatArray) -> FloatArray:
    """Nearest rising sequence by least squares: neighbours that fall are averaged."""
    levels: list[list[float]] = []
    for value in values.tolist():
        levels.append([value, 1.0])
        while len(levels) > 1 and levels[-1][0] < levels[-2][0]:
            high, count = levels.pop()
            low, before = levels[-1]
            levels[-1] = [(low * before + high * count) / (before + count), before + count]
    return np.concatenate([np.full(int(count), level) for level, count in levels])
