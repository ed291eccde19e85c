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
_STEP, _CURVATURE_STEP = 0.02, 0.12

#: Newton steps, and the length of the last (in standard errors) that counts as none.
_NEWTON_STEPS, _SMALL_STEP = 25, 1e-7

#: First and second derivative from values at ±1, ±2, ±3 steps, of sixth order.
_FIRST = np.array([3 / 4, -3 / 20, 1 / 60])
_SECOND = np.array([3 / 2, -3 / 20, 1 / 90])
_SECOND_MIDDLE = -49 / 18


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


def maximise(function: Function, starts: Sequence[FloatArray]) -> Maximum:
    """Find the largest value from several starts and check it.

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
        theta = _climb(function, start)
        value = function(theta)
        if value > highest + 1e-9:
            best, highest = theta, value
    if best is None:
        raise ValueError("the likelihood is 0 at every start")
    return _polish(function, best)


def _climb(function: Function, start: FloatArray) -> FloatArray:
    def negative(theta: FloatArray) -> float:
        value = function(theta)
        return -value if np.isfinite(value) else 1e30

    simplex = optimize.minimize(
        negative,
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-4, "fatol": 1e-5, "maxiter": 200 * len(start), "adaptive": True},
    )
    found = optimize.minimize(negative, simplex.x, method="BFGS", options={"gtol": 1e-4})
    better = found if found.fun < simplex.fun else simplex
    return np.asarray(better.x, dtype=float)


def _polish(function: Function, theta: FloatArray) -> Maximum:
    """Newton steps with derivatives in directions of equal curvature."""
    axes = _first_axes(function, theta)
    value, step, sound = function(theta), np.inf, False
    for _ in range(_NEWTON_STEPS):
        hessian = curvature(function, theta, axes)
        eigenvalues, turn = np.linalg.eigh(hessian)
        if not np.isfinite(eigenvalues).all():
            break
        sound = bool((eigenvalues < -1e-6).all())
        size = np.maximum(np.abs(eigenvalues), 1e-6)
        axes = axes @ (turn / np.sqrt(size))
        gradient = slope(function, theta, axes)
        move = axes @ gradient if sound else axes @ np.clip(gradient, -1.0, 1.0)
        step = float(np.linalg.norm(gradient))
        ahead = 1.0
        while ahead > 1e-6 and not function(theta + ahead * move) >= value:
            ahead /= 2
        if ahead > 1e-6:
            theta = theta + ahead * move
            value = max(value, function(theta))
        if sound and step < _SMALL_STEP:
            break
        if ahead <= 1e-6:
            break
    hessian = curvature(function, theta, axes)
    eigenvalues, turn = np.linalg.eigh(hessian)
    sound = bool(np.isfinite(eigenvalues).all() and (eigenvalues < -1e-6).all())
    if sound:
        root = axes @ (turn / np.sqrt(-eigenvalues))
        covariance = root @ root.T
    else:
        covariance = np.full((len(theta), len(theta)), np.nan)
    step = float(np.linalg.norm(slope(function, theta, axes)))
    return Maximum(
        theta=theta,
        value=function(theta),
        covariance=covariance,
        step=step,
        sound=sound and step < 1e-3,
    )


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
            if not np.isfinite(drop) or drop > 0.8:
                length /= 1.7
            elif drop < 0.3:
                length *= 1.5
            else:
                break
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


def curvature(function: Function, theta: FloatArray, axes: FloatArray) -> FloatArray:
    """Second derivatives along the columns of ``axes``, ``(axis, axis)``."""
    value, count = function(theta), axes.shape[1]

    def along(axis: FloatArray) -> float:
        total = _SECOND_MIDDLE * value
        for k, weight in enumerate(_SECOND, start=1):
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
