"""Maximising a log likelihood of few parameters, and knowing that it was done.

Derivatives are differences of high order along directions scaled by the curvature, so that one step
length suits every parameter. The optimum is checked: gradient, and a negative definite Hessian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from heor.spec.parameters import FloatArray

Function = Callable[[FloatArray], float]

#: Steps of differences in units of the standard error.
_STEP, _CURVATURE_STEP = 0.02, 0.04

#: Newton steps, the length (in standard errors) that counts as none, and that of a sound optimum.
_NEWTON_STEPS, _SMALL_STEP, _SOUND_STEP = 40, 1e-8, 1e-3

#: A step this long next to the one before asks for a new look at the curvature.
_SLOW = 0.1

#: Curvature below this (where 1 is that of the axes before) is none; relative rounding of values.
_FLAT, _ROUNDING = 1e-6, 1e-13

#: Where the curvature is not downwards, so many gains below this are none: the maximum lies at
#: infinity.
_NO_GAIN, _IDLE = 1e-6, 3

#: What stands for a likelihood of 0 on the way up.
_WALL = 1e10

#: First and second derivative from values at ±1, ±2, ±3 steps, of sixth order; and a rough second.
_FIRST = np.array([3 / 4, -3 / 20, 1 / 60])
_SECOND = np.array([3 / 2, -3 / 20, 1 / 90])
_ROUGH_SECOND = np.array([1.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """Where a log likelihood is largest.

    Attributes
    ----------
    theta : array ``(parameter,)``
    value : float
        The log likelihood.
    covariance : array ``(parameter, parameter)``
        Inverse of the negative Hessian.
    step : float
        Length of the Newton step that remains, in standard errors.
    sound : bool
        The gradient vanishes and the Hessian is negative definite.
    """

    theta: FloatArray
    value: float
    covariance: FloatArray
    step: float
    sound: bool


def maximise(function: Function, starts: Sequence[FloatArray], size: float = 1.0) -> Maximum:
    """Find the largest value from several starts and check it.

    Parameters
    ----------
    function : callable
        The log likelihood of an array ``(parameter,)``; -inf where it has none.
    starts : sequence of array ``(parameter,)``
    size : float
        Number of events, so that the way up does not depend on it.

    Raises
    ------
    ValueError
        When the function has no finite value at any start.
    """
    theta, _ = climb(function, starts, size)
    return polish(function, theta)


def climb(
    function: Function, starts: Sequence[FloatArray], size: float = 1.0
) -> tuple[FloatArray, float]:
    """Give the best place that is reached from the starts, near a maximum, and its value.

    Raises
    ------
    ValueError
        When the function has no finite value at any start.
    """
    best: FloatArray | None = None
    highest = -np.inf
    for start in starts:
        if not np.isfinite(function(start)):
            continue
        theta, value = _up(function, start, size)
        if value > highest + 1e-9:
            best, highest = theta, value
    if best is None:
        raise ValueError("the likelihood is 0 at every start")
    return best, highest


def _up(function: Function, start: FloatArray, size: float) -> tuple[FloatArray, float]:
    """Go up to where Newton's method takes over: quasi-Newton steps, else a simplex."""

    def negative(theta: FloatArray) -> float:
        value = function(theta)
        return -value / size if np.isfinite(value) else _WALL

    found = optimize.minimize(negative, start, method="BFGS", options={"gtol": 1e-3})
    if not found.success:
        patience = 200 * len(start)
        simplex = optimize.minimize(
            negative,
            found.x,
            method="Nelder-Mead",
            options={"xatol": 1e-3, "fatol": 1e-6, "maxiter": patience, "adaptive": True},
        )
        found = simplex if simplex.fun < found.fun else found
    return np.asarray(found.x, dtype=float), -float(found.fun) * size


@np.errstate(all="ignore")
def polish(function: Function, theta: FloatArray) -> Maximum:
    """Newton steps with derivatives in directions of equal curvature.

    The curvature is looked at again only where a step did not shorten the next one tenfold.
    """
    axes, value = _first_axes(function, theta), function(theta)
    sound, stale, previous, idle = False, True, np.inf, 0
    here: FloatArray | None = None  # the gradient where the search stands
    for _ in range(_NEWTON_STEPS):
        if stale:
            turn, sound = _turn(curvature(function, theta, axes, _ROUGH_SECOND))
            axes, previous = axes @ turn, np.inf
        here = slope(function, theta, axes)
        step = float(np.linalg.norm(here))
        if not np.isfinite(step) or (sound and step < _SMALL_STEP):
            break
        stale = not sound or step > _SLOW * previous
        previous = step
        move = axes @ (here if sound else np.clip(here, -1.0, 1.0))
        ahead = _length(function, theta, value, move)
        if ahead == 0.0:
            break
        theta, here = theta + ahead * move, None
        before, value = value, function(theta)
        idle = idle + 1 if not sound and value - before < _NO_GAIN else 0
        if idle == _IDLE:
            break
    if here is None:
        here = slope(function, theta, axes)
    turn, sound = _turn(curvature(function, theta, axes))
    axes, step = axes @ turn, float(np.linalg.norm(turn.T @ here))
    return Maximum(
        theta=theta,
        value=value,
        covariance=axes @ axes.T if sound else np.full((len(theta), len(theta)), np.nan),
        step=step,
        sound=sound and step < _SOUND_STEP,
    )


def _turn(hessian: FloatArray) -> tuple[FloatArray, bool]:
    """Combine directions so that the curvature is 1; and whether it is downwards in all of them."""
    if not np.isfinite(hessian).all():
        return np.eye(len(hessian)), False
    eigenvalues, turn = np.linalg.eigh(hessian)
    size = np.maximum(np.abs(eigenvalues), _FLAT)
    return turn / np.sqrt(size), bool((eigenvalues < -_FLAT).all())


def _length(function: Function, theta: FloatArray, value: float, move: FloatArray) -> float:
    """Share of a step that does not lead down, but for rounding; 0 where none does."""
    least = value - _ROUNDING * (1.0 + abs(value))
    ahead = 1.0
    while ahead > 1e-6:
        if function(theta + ahead * move) >= least:
            return ahead
        ahead /= 2
    return 0.0


def _first_axes(function: Function, theta: FloatArray) -> FloatArray:
    """Steps along each parameter that lower the function by about a half."""
    value = function(theta)
    lengths = np.empty(len(theta))
    for place in range(len(theta)):
        length = 0.1
        for _ in range(60):
            direction = np.zeros(len(theta))
            direction[place] = length
            drop = value - 0.5 * (function(theta + direction) + function(theta - direction))
            if 0.3 <= drop <= 0.8:
                break
            # the drop of a parabola goes with the square
            change = np.sqrt(0.5 / drop) if drop > 0 else np.inf
            if not np.isfinite(drop):
                change = 0.6
            length *= float(np.clip(change, 0.1, 1.5))
            if length > 50.0:
                break
        lengths[place] = length
    return np.diag(lengths)


def slope(function: Function, theta: FloatArray, axes: FloatArray) -> FloatArray:
    """First derivatives along the columns of ``axes``."""
    result = np.empty(axes.shape[1])
    for place, axis in enumerate(axes.T):
        result[place] = sum(
            weight * (function(theta + k * _STEP * axis) - function(theta - k * _STEP * axis))
            for k, weight in enumerate(_FIRST, start=1)
        )
    return result / _STEP


def curvature(
    function: Function, theta: FloatArray, axes: FloatArray, weights: FloatArray = _SECOND
) -> FloatArray:
    """Second derivatives along the columns of ``axes``, ``(axis, axis)``."""
    value, count = function(theta), axes.shape[1]

    def along(axis: FloatArray) -> float:
        total = -2.0 * float(weights.sum()) * value
        for k, weight in enumerate(weights, start=1):
            ahead = function(theta + k * _CURVATURE_STEP * axis)
            behind = function(theta - k * _CURVATURE_STEP * axis)
            total += weight * (ahead + behind)
        return total / _CURVATURE_STEP**2

    result = np.empty((count, count))
    own = [along(axis) for axis in axes.T]
    for i in range(count):
        result[i, i] = own[i]
        for j in range(i):
            both = along((axes[:, i] + axes[:, j]) / np.sqrt(2.0))
            result[i, j] = result[j, i] = both - 0.5 * (own[i] + own[j])
    return result
