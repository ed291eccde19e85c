"""Parameters of a family from published numbers: medians and survival at times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from heor.errors import HeorError
from heor.fitting.models import Model
from heor.spec.parameters import FloatArray

#: Width of a 95% interval in standard errors.
_WIDTH = 2 * 1.959963984540054

#: Condition of the derivatives from which on parameters cannot be told apart.
_SINGULAR = 1e6

#: Distance (on the scale of the constraint) up to which an exact solution counts as one.
EXACT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One published number: ``share`` alive at ``time``, with its interval.

    Attributes
    ----------
    share : float
        Survival, between 0 and 1; 0.5 for a median.
    time : float
        In the curve's unit, above 0.
    low, high : float or None
        95% interval: of the time when ``of_time`` (a median), else of the share.
    of_time : bool
        The share is given and the time uncertain.
    label : str
        What it is called in messages; blank for its number.
    """

    share: float
    time: float
    low: float | None = None
    high: float | None = None
    of_time: bool = False
    label: str = ""

    @property
    def error(self) -> float | None:
        """Standard error on the scale of the fit: ln time, or ln(-ln share)."""
        if self.low is None or self.high is None:
            return None
        if self.of_time:
            return float(np.log(self.high / self.low) / _WIDTH)
        return float(abs(_loglog(self.low) - _loglog(self.high)) / _WIDTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A curve through, or near, published numbers.

    Attributes
    ----------
    model : Model
    theta : array ``(parameter,)``
        On the estimation scale, as in `heor.fitting.fit.Fit`.
    covariance : array ``(parameter, parameter)`` or None
        From the intervals by the delta method; None where one is missing.
    exact : bool
        Every number is met.
    reached : tuple of float
        What the curve gives: survival at the time, or the time of the share.
    """

    model: Model
    theta: FloatArray
    covariance: FloatArray | None
    exact: bool
    reached: tuple[float, ...]

    def survival(self, time: FloatArray) -> FloatArray:
        """Survival at each time."""
        places = np.zeros(len(time), dtype=np.intp)
        return np.exp(self.model.log_survival(self.theta, time, places))


def check(constraints: Sequence[Constraint]) -> list[tuple[str, str]]:
    """Say what is wrong with constraints, by their labels; empty when nothing is."""
    found = []
    names = [one.label or f"number {i}" for i, one in enumerate(constraints, start=1)]
    for name, one in zip(names, constraints, strict=True):
        found += [(name, words) for words in _wrong(one)]
    for i, (name, a) in enumerate(zip(names, constraints, strict=True)):
        for b in constraints[:i]:
            early, late = sorted((a, b), key=lambda one: (one.time, -one.share))
            if early.time == late.time:
                words = f"there are two numbers at time {a.time:g}"
            elif early.share <= late.share:
                words = (
                    f"survival does not fall from {early.share:g} at {early.time:g} to "
                    f"{late.share:g} at {late.time:g}"
                )
            else:
                continue
            found.append((name, words))
    return found


def _wrong(one: Constraint) -> list[str]:
    found = []
    if not 0 < one.share < 1:
        found.append(f"survival must be between 0 and 1, found {one.share:g}")
    if not 0 < one.time < np.inf:
        found.append(f"the time must be above 0, found {one.time:g}")
    middle = one.time if one.of_time else one.share
    if one.low is None or one.high is None:
        if one.low is not one.high:
            found.append("an interval needs both ends")
    elif not one.low < middle < one.high:
        found.append(f"{middle:g} is not inside its interval, {one.low:g} to {one.high:g}")
    elif one.low <= 0 or (not one.of_time and one.high >= 1):
        inside = "be above 0" if one.of_time else "lie inside 0 to 1"
        found.append(f"the interval must {inside}, found {one.low:g} to {one.high:g}")
    return found


def calibrate(model: Model, constraints: Sequence[Constraint]) -> Calibration:
    """Find the curve of a family that meets published numbers.

    As many numbers as parameters are met exactly where a curve of the family can; more are met by
    least squares in ln time (medians) and ln(-ln S) (survival at times), weighted by their
    intervals where all have one.

    Parameters
    ----------
    model : Model
        Without groups and cure; knots of a spline are not for this.
    constraints : sequence of Constraint

    Raises
    ------
    HeorError
        When the numbers contradict themselves, are fewer than the parameters, or no curve of the
        family comes near them.
    """
    problems = check(constraints)
    if problems:
        raise HeorError("; ".join(f"{name}: {words}" for name, words in problems))
    if len(constraints) < len(model.names):
        raise HeorError(
            f"{model.family.name} has {len(model.names)} parameters, so it needs as many numbers; "
            f"found {len(constraints)}"
        )
    unit = float(np.exp(np.mean([np.log(one.time) for one in constraints])))
    inside = model.in_unit(unit)
    errors = [one.error for one in constraints]
    known = [error for error in errors if error is not None]
    weights = (
        np.array([1 / e for e in known]) if len(known) == len(errors) else np.ones(len(errors))
    )

    def misfit(theta: FloatArray) -> FloatArray:
        return np.array([_misfit(inside, theta, one, unit) for one in constraints])

    def weighted(theta: FloatArray) -> FloatArray:
        return np.nan_to_num(weights * misfit(theta), nan=1e6, posinf=1e6, neginf=-1e6)

    best = None
    for start in _starts(inside, constraints, unit):
        with np.errstate(all="ignore"):
            try:
                found = optimize.least_squares(
                    weighted,
                    start, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000,
                )  # fmt: skip
            except ValueError:
                continue
        if best is None or found.cost < best.cost:
            best = found
    if best is None or not np.isfinite(best.fun).all():
        raise HeorError(f"no {model.family.name} curve comes near these numbers")
    left = misfit(best.x)
    matrix, shift = model.to_unit(unit)
    theta = matrix @ best.x + shift
    covariance = None
    if len(known) == len(errors):
        jacobian = weights[:, None] * _jacobian(misfit, best.x)
        if not np.linalg.cond(jacobian) < _SINGULAR:
            raise HeorError(f"these numbers do not tell the parameters of a {model.family.name}")
        covariance = matrix @ np.linalg.inv(jacobian.T @ jacobian) @ matrix.T
    return Calibration(
        model=model,
        theta=theta,
        covariance=covariance,
        exact=bool(np.abs(left).max() < EXACT),
        reached=tuple(_reached(model, theta, one) for one in constraints),
    )


def _loglog(share: float) -> float:
    return float(np.log(-np.log(share)))


def _misfit(model: Model, theta: FloatArray, one: Constraint, unit: float) -> float:
    """Distance on the constraint's own scale, in times divided by ``unit``."""
    if one.of_time:
        parameters = model.parameters(theta, np.zeros(1, dtype=np.intp))
        time = float(model.family.quantile(1 - one.share, parameters))
        return float(np.log(time) - np.log(one.time / unit))
    log_share = model.log_survival(theta, np.array([one.time / unit]), np.zeros(1, dtype=np.intp))
    return float(np.log(-log_share[0]) - _loglog(one.share))


def _reached(model: Model, theta: FloatArray, one: Constraint) -> float:
    none = np.zeros(1, dtype=np.intp)
    if one.of_time:
        return float(model.family.quantile(1 - one.share, model.parameters(theta, none)))
    return float(np.exp(model.log_survival(theta, np.array([one.time]), none))[0])


def _starts(model: Model, constraints: Sequence[Constraint], unit: float) -> list[FloatArray]:
    """Where to begin: from the straight line through the numbers on the Weibull's scale."""
    x = np.array([np.log(one.time / unit) for one in constraints])
    y = np.array([_loglog(one.share) for one in constraints])
    shape = float(np.polyfit(x, y, 1)[0]) if len(set(x.tolist())) > 1 else 1.0
    shape = float(np.clip(shape, 0.2, 5.0))
    level = float(y.mean() - shape * x.mean())
    scale = -level / shape
    z = [special.ndtri(1 - one.share) for one in constraints]
    slope = float(np.polyfit(x, z, 1)[0]) if len(set(x.tolist())) > 1 else 1.0
    slope = max(slope, 0.1)
    mean = float(-(np.mean(z) - slope * x.mean()) / slope)
    name = model.family.name
    by_name: dict[str, list[list[float]]] = {
        "exponential": [[level]],
        "weibull": [[np.log(shape), scale], [0.0, 0.0]],
        "loglogistic": [[np.log(1.5 * shape), scale], [0.0, 0.0]],
        "gompertz": [[0.0, level], [0.3, level], [-0.3, level]],
        "gamma": [[np.log(shape), level], [0.0, level]],
        "lognormal": [[mean, -np.log(slope)], [0.0, 0.0]],
        "gengamma": [[mean, -np.log(slope), 0.2], [scale, -np.log(shape), 1.0]],
        "genf": [[mean, -np.log(slope), 0.2, -1.0], [scale, -np.log(shape), 1.0, -2.0]],
    }
    if name not in by_name:
        raise HeorError(f"{name} cannot be calibrated; fit it to data instead")
    return [np.array(start, dtype=float) for start in by_name[name]]


def _jacobian(function: Callable[[FloatArray], FloatArray], theta: FloatArray) -> FloatArray:
    """Derivatives of a vector by differences of fourth order, ``(constraint, parameter)``."""
    columns = []
    for place in range(len(theta)):
        step = np.zeros(len(theta))
        step[place] = 1e-3
        near = function(theta + step) - function(theta - step)
        far = function(theta + 2 * step) - function(theta - 2 * step)
        columns.append((8 * near - far) / (12 * 1e-3))
    return np.column_stack(columns)
