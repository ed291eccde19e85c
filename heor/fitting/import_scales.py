"""On which scale the numbers of a fit stand, and its covariance on the scale of estimation.

A table of R does not say whether ``shape`` is a number or its logarithm. Its intervals do: they are
symmetric on the scale of estimation, and on no other. So the scale is worked out from the digits
that are there, and where these do not decide it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from heor.fitting.printed import LIFELINES, NATURAL, TRANSFORMED, Found, Matrix, Row
from heor.spec.parameters import FloatArray

#: By how much standard errors and a covariance may disagree, beyond the digits written.
_AGREE = 0.02

#: Of the width of an interval: by so much its middle may be off and still be the estimate.
_SYMMETRIC = 1e-3

#: Least eigenvalue of a correlation matrix that counts as above 0.
_SMALLEST = 1e-12


@dataclass(slots=True)
class Scaled:
    """Estimates on the estimation scale.

    Attributes
    ----------
    theta, errors : array ``(parameter,)``
        Errors are NaN where there is none.
    slack : array ``(parameter,)``
        By how much an error may be off, relatively, for the digits written.
    natural : array ``(parameter,)``
        Estimates on the natural scale.
    problems : list of (str, str)
        Name and message.
    warnings : list of str
    """

    theta: FloatArray
    errors: FloatArray
    slack: FloatArray
    natural: FloatArray
    problems: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Joint:
    """A covariance on the estimation scale, in the order asked for."""

    covariance: FloatArray | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def estimation_scale(
    found: Found, rows: Sequence[Row], kinds: Mapping[str, str], said: str
) -> Scaled:
    """Bring estimates and standard errors to the scale of estimation.

    Parameters
    ----------
    found : Found
    rows : sequence of Row
        In the order wanted.
    kinds : mapping of str to str
        ``log`` or ``logit`` for the parameters that are estimated so.
    said : str
        Scale that the user says; blank for none.
    """
    nothing = np.full(len(rows), np.nan)
    made = Scaled(
        theta=nothing, errors=nothing.copy(), slack=nothing.copy(), natural=nothing.copy()
    )
    made.theta = nothing.copy()
    scale = _scale(found, rows, kinds, said, made)
    if not scale:
        return made
    z = float(special.ndtri(0.5 + found.level / 2))
    for place, row in enumerate(rows):
        kind = kinds.get(row.name, "") if scale == NATURAL else ""
        value = row.estimate.value
        if kind == "log" and value <= 0:
            made.problems.append((row.name, f"found {value:g}; it must be above 0"))
            continue
        if kind == "logit" and not 0 < value < 1:
            made.problems.append((row.name, f"found {value:g}; it must be between 0 and 1"))
            continue
        made.theta[place] = _to(kind, value)
        made.errors[place], made.slack[place] = _error(row, kind, z, found.program == LIFELINES)
        transformed = kinds.get(row.name, "") if scale == TRANSFORMED else ""
        made.natural[place] = _from(transformed, value)
        if not 0 < abs(made.natural[place]) < np.inf and transformed:
            words = (
                f"found {value:g}, whose exponential is no number of a curve: is it a logarithm?"
            )
            made.problems.append((row.name, words))
            continue
        _check_interval(row, kind, z, found, made)
    if found.method and found.method != "Flexsurvreg" and kinds:
        made.warnings.append(
            f"These are means and intervals of a posterior ({found.method}); on the scale of "
            "estimation they are taken as normal. The draws themselves are exact: give them as CSV."
        )
    return made


def _scale(
    found: Found, rows: Sequence[Row], kinds: Mapping[str, str], said: str, made: Scaled
) -> str:
    """Decide on the scale; blank, with a problem, where it cannot be told."""
    known = found.scale_of
    if known and said and known != said:
        made.problems.append(("", f"this output is on the {known} scale; --estimates says {said}"))
        return ""
    if known:
        return known
    bent = [row for row in rows if kinds.get(row.name) == "log"]
    told = _told_scale(bent)
    if said:
        if told and told != said:
            words = f"its interval is symmetric on the {told} scale; --estimates says {said}"
            made.problems.append((bent[0].name, words))
            return ""
        return said
    if not bent:
        return TRANSFORMED if not any(row.name in kinds for row in rows) else NATURAL
    if told:
        made.warnings.append(
            f"The estimates are on the {told} scale, as their values and intervals show."
        )
        return told
    named = ", ".join(row.name for row in bent)
    made.problems.append(
        (
            bent[0].name,
            f"the numbers of {named} may be natural (fit$res) or logarithms (fit$res.t): say "
            "--estimates natural, or --estimates transformed",
        )
    )
    return ""


def _told_scale(bent: Sequence[Row]) -> str:
    """Scale that signs and intervals of positive parameters tell; blank where they do not."""
    if any(row.estimate.value <= 0 or (row.low and row.low.value <= 0) for row in bent):
        return TRANSFORMED
    possible = [
        scale
        for scale in (NATURAL, TRANSFORMED)
        if all(_symmetric(row, log=scale == NATURAL) for row in bent)
    ]
    return possible[0] if len(possible) == 1 and bent else ""


def _symmetric(row: Row, *, log: bool) -> bool:
    """Whether an interval is symmetric about its estimate, as far as its digits tell."""
    if row.low is None or row.high is None:
        return True
    values = np.array([row.low.value, row.estimate.value, row.high.value])
    halves = np.array([row.low.half, row.estimate.half, row.high.half])
    if log:
        values, halves = np.log(values), halves / values
    return bool(
        abs(values[1] - (values[0] + values[2]) / 2)
        <= halves[1] + (halves[0] + halves[2]) / 2 + _SYMMETRIC * (values[2] - values[0])
    )


def _to(kind: str, value: float) -> float:
    if kind == "log":
        return float(np.log(value))
    return float(special.logit(value)) if kind == "logit" else value


def _from(kind: str, value: float) -> float:
    if kind == "log":
        with np.errstate(over="ignore"):
            return float(np.exp(value))
    return float(special.expit(value)) if kind == "logit" else value


def _slope(kind: str, value: float) -> float:
    """Derivative of the natural number by the one that is estimated."""
    return value if kind == "log" else value * (1 - value) if kind == "logit" else 1.0


def _error(row: Row, kind: str, z: float, plain_interval: bool) -> tuple[float, float]:
    """Standard error on the estimation scale, and its slack."""
    value = row.estimate.value
    low, high = row.low, row.high
    bounded = low is not None and high is not None and np.isfinite([low.value, high.value]).all()
    if kind and bounded and low and high and not plain_interval:
        inside = low.value > 0 and (kind == "log" or high.value < 1)
        if inside and high.value > low.value:
            width = _to(kind, high.value) - _to(kind, low.value)
            slack = (
                low.half / _slope(kind, low.value) + high.half / _slope(kind, high.value)
            ) / width
            return float(width / (2 * z)), slack
    if row.se is not None and row.se.value > 0:
        slack = row.se.half / row.se.value + row.estimate.half / abs(value or 1.0)
        return row.se.value / _slope(kind, value), slack
    if not kind and bounded and low and high and high.value > low.value:
        width = high.value - low.value
        return float(width / (2 * z)), (low.half + high.half) / width
    return np.nan, np.nan


def _check_interval(row: Row, kind: str, z: float, found: Found, made: Scaled) -> None:
    """An interval holds its estimate; a standard error belongs to its interval."""
    low, high, value = row.low, row.high, row.estimate.value
    if low is not None and high is not None and not low.value <= value <= high.value:
        ends = f"{low.value:g} to {high.value:g}"
        made.problems.append((row.name, f"{value:g} is outside its interval, {ends}"))
        return
    if row.se is None or low is None or not kind or found.program == LIFELINES:
        return
    if found.method and found.method != "Flexsurvreg":
        return
    error, slack = _error(row, kind, z, plain_interval=False)
    expected = error * _slope(kind, value)
    room = slack + row.se.half / max(row.se.value, 1e-300) + row.estimate.half / value + _AGREE
    if np.isfinite(error) and abs(row.se.value / expected - 1) > 2 * room:
        made.problems.append(
            (
                row.name,
                f"the standard error {row.se.value:g} does not belong to the interval "
                f"{low.value:g} to {high.value if high else np.nan:g}, which asks for "
                f"{expected:.4g}: on which scale are they?",
            )
        )


def joint_covariance(
    matrix: Matrix | None,
    order: Sequence[str],
    kinds: Mapping[str, str],
    scaled: Scaled,
    *,
    natural_first: bool,
    place: str,
) -> Joint:
    """Give the covariance on the estimation scale, after checks against the standard errors.

    Parameters
    ----------
    matrix : Matrix or None
    order : sequence of str
        Names, in the order wanted.
    kinds : mapping of str to str
    scaled : Scaled
    natural_first : bool
        The program gives covariances of the natural numbers (lifelines), not of those estimated.
    place : str
        File of the estimates, for messages.
    """
    made = Joint()
    if matrix is None:
        return made
    where = f"{matrix.file}, row {matrix.line}"
    if set(matrix.names) != set(order):
        made.problems.append(
            ("", f"the covariance ({where}) is of {', '.join(matrix.names)}, the estimates are of "
             f"{', '.join(order)}")
        )  # fmt: skip
        return made
    places = [matrix.names.index(name) for name in order]
    values = matrix.values[np.ix_(places, places)]
    spread = np.sqrt(np.maximum(np.diag(values), 0))
    if (spread <= 0).any():
        named = order[int(np.argmin(spread))]
        made.problems.append((named, f"its variance in the covariance ({where}) is not above 0"))
        return made
    correlation = values / np.outer(spread, spread)
    if np.abs(correlation - correlation.T).max() > 1e-4:
        made.problems.append(("", f"the covariance ({where}) is not symmetric"))
        return made
    if np.linalg.eigvalsh((correlation + correlation.T) / 2)[0] <= _SMALLEST:
        made.problems.append(("", f"the covariance ({where}) is not positive definite"))
        return made
    slopes = np.array(
        [
            _slope(kinds.get(name, ""), value)
            for name, value in zip(order, scaled.natural, strict=True)
        ]
    )
    errors, room = scaled.errors, 2 * np.nan_to_num(scaled.slack) + _AGREE
    known = np.isfinite(errors)
    fits = {
        TRANSFORMED: bool((np.abs(spread / errors - 1)[known] <= room[known]).all()),
        NATURAL: bool((np.abs(spread / slopes / errors - 1)[known] <= room[known]).all()),
    }
    first, second = (NATURAL, TRANSFORMED) if natural_first else (TRANSFORMED, NATURAL)
    chosen = first if fits[first] else second if fits[second] else ""
    if not chosen:
        worst = int(np.nanargmax(np.abs(np.log(spread / errors))))
        made.problems.append(
            (
                order[worst],
                f"the covariance ({where}) gives it a standard error of {spread[worst]:.4g}, "
                f"{place} one of {errors[worst]:.4g} on the scale of estimation "
                f"({errors[worst] * slopes[worst]:.4g} on the natural one): are they of one fit?",
            )
        )
        return made
    if chosen == NATURAL and kinds:
        values = values / np.outer(slopes, slopes)
        made.warnings.append(
            "The covariance is of the natural numbers; it is brought to logarithms by the delta "
            "method."
        )
    elif not known.any() and any(name in kinds for name in order):
        made.warnings.append("The covariance is taken as that of vcov(fit), with logarithms.")
    made.covariance = (values + values.T) / 2
    return made
