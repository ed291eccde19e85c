"""Waning: a group's curve takes on another strategy's hazard, or meets its curve (methods 1.8)."""

from __future__ import annotations

import numpy as np

from heor.engine.curves import CurveBlock, mean_ratio
from heor.errors import ModelError
from heor.spec.parameters import FloatArray
from heor.spec.records import Curve


def waned(curve: Curve, own: FloatArray, other: FloatArray, curves: CurveBlock) -> FloatArray:
    """Give a curve with its effect waning to that of another strategy.

    Parameters
    ----------
    curve : Curve
        The row; it has a ``wane_to`` and a ``wane_from``.
    own, other : array ``(draw, cycle + 1)``
        The curve, and the one of the same endpoint and group of the strategy it wanes to.
    curves : CurveBlock
        The block of draws.

    Returns
    -------
    array ``(draw, cycle + 1)``

    Raises
    ------
    ModelError
        When in a draw the effect is lost before it starts to wane.
    """
    assert curve.wane_from is not None
    start = curves.values(curve.wane_from)
    until = start if curve.wane_until is None else curves.values(curve.wane_until)
    if np.any(until < start):
        row = curves.first_draw + int(np.argmax(until[:, 0] < start[:, 0]))
        raise ModelError(
            f"curve {curve.id}, draw {row}: wane_until is before wane_from; it must not be earlier"
        )
    time = curves.timeline.times(curve.time_unit)
    if curve.wane == "survival":
        return _met(own, other, time, start, until, curves)
    lost = mean_ratio(time, 0.0, start, until)
    steps = _kept(own, curves)
    np.power(steps, 1 - lost, out=steps)
    others = _kept(other, curves)
    np.power(others, lost, out=others)
    steps *= others
    out = curves.array()
    out[:, 0] = own[:, 0]
    np.multiply.accumulate(steps, axis=1, out=out[:, 1:])
    out[:, 1:] *= own[:, :1]
    curves.release(steps)
    curves.release(others)
    return out


def _kept(curve: FloatArray, curves: CurveBlock) -> FloatArray:
    """Share of those at the start of each cycle who are left at its end; 0 where nobody is."""
    steps = curves.array(curve.shape[1] - 1)
    np.divide(curve[:, 1:], curve[:, :-1], out=steps)
    steps[curve[:, :-1] <= 0] = 0.0
    return steps


def _met(
    own: FloatArray,
    other: FloatArray,
    time: FloatArray,
    start: FloatArray,
    until: FloatArray,
    curves: CurveBlock,
) -> FloatArray:
    """Move in a straight line to the other curve, never up."""
    span = until - start
    part = np.divide(time - start, span, out=curves.array(), where=span > 0)
    np.copyto(part, time >= until, where=span <= 0)
    np.clip(part, 0.0, 1.0, out=part)
    out = np.subtract(other, own, out=curves.array())
    out *= part
    out += own
    curves.release(part)
    np.minimum.accumulate(out, axis=1, out=out)
    return out
