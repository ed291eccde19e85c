"""One curve of one group: steps 1 to 6 of the order of work (methods 1.2).

A block of draws is evaluated at all cycle boundaries at once, ``(draw, cycle + 1)``. Curves are
kept by what defines them, so that a curve shared by endpoints, groups or strategies is computed
once. Arrays handed out are read-only by agreement: every step writes to a new one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heor.engine.survival import family_after, family_of_curve, step_survival
from heor.engine.timeline import Timeline
from heor.errors import ModelError
from heor.spec.expressions import Expression
from heor.spec.parameters import Draws, FloatArray
from heor.spec.records import UNITS_PER_YEAR, Curve, KaplanMeier

Key = tuple[object, ...]

#: How much a curve may rise from rounding (methods 10).
_RISE = 1e-12


class Workspace:
    """Block-sized arrays that are lent out and taken back, so that memory stays in cache."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, int], list[FloatArray]] = {}
        self._lent: dict[int, FloatArray] = {}

    def take(self, rows: int, columns: int) -> FloatArray:
        """Lend an uninitialised array until `reset`."""
        free = self._free.setdefault((rows, columns), [])
        array = free.pop() if free else np.empty((rows, columns))
        self._lent[id(array)] = array
        return array

    def give(self, array: FloatArray) -> None:
        """Take one array back that nobody reads any more."""
        del self._lent[id(array)]
        self._free[array.shape[0], array.shape[1]].append(array)

    def reset(self) -> None:
        """Take everything back."""
        for array in self._lent.values():
            self._free[array.shape[0], array.shape[1]].append(array)
        self._lent.clear()


class CurveKeys:
    """What a curve's steps depend on, as hashable keys: equal keys are equal curves."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Curve, tuple[Key, Key, Key]]] = {}

    def of(self, curve: Curve) -> tuple[Key, Key, Key]:
        """Keys of the clock u(t), of steps 1 and 2, and of steps 1 to 3."""
        if id(curve) not in self._kept:
            clock = ("clock", curve.time_unit, _text(curve.delay), _text(curve.acceleration))
            observed = curve.family == "kaplan_meier" or curve.km_until is not None
            timed = (
                "timed",
                curve.family,
                curve.scale,
                *((name, _text(value)) for name, value in sorted(curve.parameters.items())),
                clock,
                _text(curve.km_until),
                (curve.strategy, curve.endpoint, curve.group) if observed else (),
            )
            hazard = (_text(e) for e in (curve.hazard_ratio, curve.hr_from, curve.hr_until))
            self._kept[id(curve)] = curve, (clock, timed, ("uncured", timed, *hazard))
        return self._kept[id(curve)][1]


class CurveBlock:
    """Curves of one block of draws.

    Parameters
    ----------
    timeline : Timeline
        The cycle grid.
    draws : Draws
        The block's rows.
    km : mapping
        Kaplan-Meier tables by (strategy, endpoint, group).
    workspace : Workspace
        Where block-sized arrays come from.
    keys : CurveKeys
        What makes curves equal; kept over blocks.
    first_draw : int
        The block's first number, for messages.
    """

    def __init__(
        self,
        timeline: Timeline,
        draws: Draws,
        km: Mapping[tuple[str, str, str], KaplanMeier],
        workspace: Workspace,
        keys: CurveKeys,
        first_draw: int = 1,
    ) -> None:
        self.timeline = timeline
        self.draws = draws
        self.rows = len(draws)
        self.km = km
        self.workspace = workspace
        self.first_draw = first_draw
        self._keys = keys
        self._values: dict[str, FloatArray] = {}
        self._kept: dict[Key, FloatArray] = {}

    def values(self, expression: Expression) -> FloatArray:
        """Value of an expression in each draw, as a column ``(draw, 1)``."""
        kept = self._values.get(expression.text)
        if kept is None:
            column = self.draws.values.get(expression.canonical)
            if column is None:
                column = expression.evaluate(self.draws.values, self.rows)
            kept = self._values[expression.text] = column[:, None]
        return kept

    def array(self, columns: int | None = None) -> FloatArray:
        """Lend a block-sized array ``(draw, cycle + 1)``, or one with other columns."""
        return self.workspace.take(
            self.rows, self.timeline.cycles + 1 if columns is None else columns
        )

    def release(self, array: FloatArray) -> None:
        """Give back a lent array that nobody reads any more, so that it is used again warm."""
        self.workspace.give(array)

    def uncured(self, curve: Curve) -> FloatArray:
        """Steps 1 to 3: family, delay and acceleration, hazard ratio; ``(draw, cycle + 1)``."""
        *_, key = self._keys.of(curve)
        if key not in self._kept:
            base = self._timed(curve)
            if curve.hazard_ratio is not None:
                base = self._with_hazard_ratio(curve, base)
            self._kept[key] = base
        return self._kept[key]

    def with_cure(self, curve: Curve) -> FloatArray:
        """Steps 1 to 4: also the cured share, π + (1 - π)S."""
        uncured = self.uncured(curve)
        if curve.cure_fraction is None:
            return uncured
        share = self.values(curve.cure_fraction)
        out = np.multiply(uncured, 1 - share, out=self.array())
        out += share
        return out

    def early_factor(self, curve: Curve) -> FloatArray | None:
        """Step 6 as a factor, 1 - τ·min(t/d, 1); None when the curve has none."""
        if curve.early_mortality is None or curve.early_period is None:
            return None
        share = self.values(curve.early_mortality)
        period = self.values(curve.early_period)
        out = np.divide(self.timeline.times(curve.time_unit), period, out=self.array())
        np.minimum(out, 1.0, out=out)
        out *= -share
        out += 1.0
        return out

    def with_early_mortality(self, curve: Curve, survival: FloatArray) -> FloatArray:
        """Step 6: early mortality on a curve."""
        factor = self.early_factor(curve)
        if factor is None:
            return survival
        factor *= survival
        return factor

    def post_progression(self, curve: Curve, pfs: FloatArray) -> FloatArray:
        """Step 5: OS from the group's PFS and post-progression survival (methods 1.5).

        Parameters
        ----------
        curve : Curve
            The ``post_progression`` curve.
        pfs : array ``(draw, cycle + 1)``
            The group's PFS after steps 1 to 4.
        """
        cycle = self.timeline.length * UNITS_PER_YEAR[curve.time_unit]
        leaving = self.array(self.timeline.cycles)
        np.subtract(pfs[:, :-1], pfs[:, 1:], out=leaving)
        if curve.pfs_death_share is not None:
            leaving *= 1 - self.values(curve.pfs_death_share)
        progressed = self.array()
        progressed[:, 0] = 0.0
        if curve.pps_family == "exponential":
            step = self.values(curve.pps_parameters["rate"])[:, 0] * cycle
            stay = np.exp(-step)
            arrive = np.divide(-np.expm1(-step), step, out=np.ones_like(step), where=step != 0)
            by_cycle = np.ascontiguousarray(leaving.T) * arrive
            state = np.zeros(self.rows)
            for k in range(self.timeline.cycles):
                state *= stay
                state += by_cycle[k]
                by_cycle[k] = state
            progressed[:, 1:] = by_cycle.T
        else:
            family = family_after(curve)
            middle: FloatArray = (np.arange(self.timeline.cycles, dtype=np.float64) + 0.5) * cycle
            parameters = [self.values(curve.pps_parameters[name]) for name in family.parameters]
            stay = family.survival(
                middle, np.log(middle), parameters, self.array(self.timeline.cycles)
            )
            if family.may_rise:
                self.refuse_rising(curve, stay)
            for row in range(self.rows):
                progressed[row, 1:] = np.convolve(leaving[row], stay[row])[: self.timeline.cycles]
        progressed += pfs
        self.release(leaving)
        return progressed

    def _timed(self, curve: Curve) -> FloatArray:
        """Steps 1 and 2: the family at u = (t - delay)/AF."""
        _, key, _ = self._keys.of(curve)
        if key in self._kept:
            return self._kept[key]
        shared = curve.delay is None and curve.acceleration is None
        time = self.timeline.times(curve.time_unit) if shared else self._shifted_time(curve)
        if curve.family == "kaplan_meier":
            survival = self.array()
            survival[:] = self._observed(curve, time)
        else:
            survival = self._family(curve, time)
            if curve.km_until is not None:
                survival = self._piecewise(curve, time, survival)
            if family_of_curve(curve).may_rise:
                self.refuse_rising(curve, survival)
        self._kept[key] = survival
        return survival

    def _family(self, curve: Curve, time: FloatArray) -> FloatArray:
        family = family_of_curve(curve)
        parameters = [self.values(curve.parameters[name]) for name in family.parameters]
        log_time = None
        if family.uses_log_time:
            if time.ndim == 1:
                log_time = np.log(time)
            else:
                key = ("log", self._keys.of(curve)[0])
                if key not in self._kept:
                    self._kept[key] = np.log(time, out=self.array())
                log_time = self._kept[key]
        return family.survival(time, log_time, parameters, self.array())

    def refuse_rising(self, curve: Curve, survival: FloatArray) -> None:
        """Raise where numbers make no survival curve: one draw of a spline's may (methods 10)."""
        rise = np.subtract(survival[:, 1:], survival[:, :-1], out=self.array(survival.shape[1] - 1))
        if not rise.max(initial=0.0) <= _RISE:
            row, cycle = np.unravel_index(int(np.argmax(~(rise <= _RISE))), rise.shape)
            found = f"survival rises by {rise[row, cycle]:.3g}"
            if np.isnan(rise[row, cycle]):
                found = "survival is not a number; its knots must rise"
            raise ModelError(
                f"curve {curve.id} ({curve.strategy}.{curve.endpoint}.{curve.group}), "
                f"draw {self.first_draw + row}, cycle {cycle + 1}: the spline's {found}"
            )
        self.release(rise)

    def _shifted_time(self, curve: Curve) -> FloatArray:
        key, *_ = self._keys.of(curve)
        if key not in self._kept:
            time = self.array()
            time[:] = self.timeline.times(curve.time_unit)
            if curve.delay is not None:
                time -= self.values(curve.delay)
                np.maximum(time, 0.0, out=time)
            if curve.acceleration is not None:
                time /= self.values(curve.acceleration)
            self._kept[key] = time
        return self._kept[key]

    def _observed(self, curve: Curve, time: FloatArray) -> FloatArray:
        """The Kaplan-Meier table of a curve at times in the curve's unit."""
        table = self.km[curve.strategy, curve.endpoint, curve.group]
        units = UNITS_PER_YEAR[table.time_unit] / UNITS_PER_YEAR[curve.time_unit]
        return step_survival(table, time * units)

    def _piecewise(self, curve: Curve, time: FloatArray, tail: FloatArray) -> FloatArray:
        """KM to τ, then KM(τ)·S(t)/S(τ) (methods 1.6)."""
        assert curve.km_until is not None
        until = self.values(curve.km_until)
        family = family_of_curve(curve)
        parameters = [self.values(curve.parameters[name]) for name in family.parameters]
        at_join = family.survival(until, np.log(until), parameters, np.empty((self.rows, 1)))
        joined = self._observed(curve, until)
        out = np.multiply(tail, joined, out=self.array())
        np.divide(out, at_join, out=out, where=at_join > 0)
        observed = np.broadcast_to(self._observed(curve, time), out.shape)
        np.copyto(out, observed, where=np.broadcast_to(time, out.shape) <= until)
        return out

    def _with_hazard_ratio(self, curve: Curve, base: FloatArray) -> FloatArray:
        """Step 3: S^HR, or the ratio waning to 1 between ``hr_from`` and ``hr_until``."""
        assert curve.hazard_ratio is not None
        ratio = self.values(curve.hazard_ratio)
        if curve.hr_until is None:
            same = ratio[:, 0] == 1
            if same.all():
                return base
            out = np.log(base, out=self.array())
            out *= ratio
            if not ratio.all():
                out[ratio[:, 0] == 0] = 0.0
            np.exp(out, out=out)
            if same.any():
                out[same] = base[same]
            return out
        mean_ratio = self._mean_hazard_ratio(curve, ratio)
        steps = self.array(self.timeline.cycles)
        np.divide(base[:, 1:], base[:, :-1], out=steps)
        steps[base[:, :-1] <= 0] = 0.0
        np.log(steps, out=steps)
        steps *= mean_ratio
        steps[(mean_ratio == 0) & ~np.isfinite(steps)] = 0.0
        np.exp(steps, out=steps)
        out = self.array()
        out[:, 0] = base[:, 0]
        np.multiply.accumulate(steps, axis=1, out=out[:, 1:])
        out[:, 1:] *= base[:, :1]
        self.release(steps)
        return out

    def _mean_hazard_ratio(self, curve: Curve, ratio: FloatArray) -> FloatArray:
        """Mean of the piecewise-linear ratio over each cycle, exact; ``(draw, cycle)``."""
        assert curve.hr_until is not None
        until = self.values(curve.hr_until)
        start = self.values(curve.hr_from) if curve.hr_from is not None else np.zeros_like(until)
        if np.any(until < start):
            raise ModelError(
                f"curve {curve.id}: hr_until is before hr_from; it must not be earlier"
            )
        return mean_ratio(self.timeline.times(curve.time_unit), ratio, start, until)


def mean_ratio(
    time: FloatArray, ratio: FloatArray | float, start: FloatArray, until: FloatArray
) -> FloatArray:
    """Mean over each cycle of a ratio until ``start`` that is 1, in a straight line, at ``until``.

    Parameters
    ----------
    time : array ``(cycle + 1,)``
    ratio, start, until : array ``(draw, 1)``
        Times in the unit of ``time``; a jump where they are equal.

    Returns
    -------
    array ``(draw, cycle)``
        Exact.
    """
    lower, upper = time[:-1], time[1:]
    span = until - start
    before = np.clip(np.minimum(upper, start) - lower, 0.0, None)
    after = np.clip(upper - np.maximum(lower, until), 0.0, None)
    left = np.clip(lower, start, until)
    right = np.clip(upper, start, until)
    progress = np.divide((left + right) / 2 - start, span, out=np.zeros(left.shape), where=span > 0)
    during = (right - left) * (ratio + (1 - ratio) * progress)
    mean: FloatArray = (before * ratio + during + after) / (upper - lower)
    return mean


def _text(expression: Expression | None) -> str:
    return "" if expression is None else expression.canonical
