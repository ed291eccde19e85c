"""Averaging over the candidates of a curve by weight (methods 1.9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heor.engine.curves import CurveBlock
from heor.errors import ModelError
from heor.spec.parameters import FloatArray
from heor.spec.records import Curve


def averaged(
    curve: Curve, found: Sequence[tuple[FloatArray, FloatArray]], curves: CurveBlock
) -> tuple[FloatArray, FloatArray]:
    """Give the average of the candidates of a curve.

    Parameters
    ----------
    curve : Curve
        The curve in use; ``average`` has its candidates.
    found : sequence of pairs of arrays ``(draw, cycle + 1)``
        Each candidate before and after step 7.
    curves : CurveBlock
        The block of draws.

    Raises
    ------
    ModelError
        When in a draw a weight is negative, or all are 0.
    """
    shares = _shares(curve, curves)
    before = _mixed([one for one, _ in found], shares, curves)
    if all(first is second for first, second in found):
        return before, before
    return before, _mixed([one for _, one in found], shares, curves)


def _shares(curve: Curve, curves: CurveBlock) -> list[FloatArray]:
    """Weights that sum to 1 in each draw, each ``(draw, 1)``."""
    weights = [curves.values(one.average_weight) for one in curve.average if one.average_weight]
    total = np.zeros((curves.rows, 1))
    for weight in weights:
        total += weight
    sound = np.isfinite(total) & (total > 0)
    for weight in weights:
        sound &= weight >= 0
    if not sound.all():
        row = int(np.argmin(sound[:, 0]))
        shown = ", ".join(f"{weight[row, 0]:.6g}" for weight in weights)
        raise ModelError(
            f"curve {curve.strategy}.{curve.endpoint}.{curve.group}, draw "
            f"{curves.first_draw + row}: the average_weight of its candidates are {shown}; none "
            "may be negative, and one must be above 0"
        )
    return [weight / total for weight in weights]


def _mixed(
    candidates: Sequence[FloatArray], shares: Sequence[FloatArray], curves: CurveBlock
) -> FloatArray:
    total = np.multiply(candidates[0], shares[0], out=curves.array())
    part = curves.array()
    for candidate, share in zip(candidates[1:], shares[1:], strict=True):
        np.multiply(candidate, share, out=part)
        total += part
    curves.release(part)
    return total
