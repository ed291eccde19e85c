"""Curves written by their published numbers: a median or survival at times is what is drawn.

Where no patient data exist the honest uncertainty is that of the published number, not of a shape
and a scale. A share alive is drawn from a beta, a median from a lognormal, and the curve's
parameters are formulas of them, so each draw is a curve through its own numbers (methods 2.8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from heor.errors import HeorError
from heor.fitting.calibrate import Constraint
from heor.fitting.table_rows import Naming, slug

#: Columns of the rows of `parameters`.
COLUMNS = (
    *("id", "label", "category", "value", "unit", "low", "high", "distribution", "a", "b"),
    *("source", "evidence", "note"),
)

#: Families whose parameters are formulas of their landmarks, and how many they take.
FAMILIES: Mapping[str, int] = {"exponential": 1, "weibull": 2, "loglogistic": 2}

#: Parameters as formulas of ``s1`` at ``t1`` and ``s2`` at ``t2``, or of a median ``m``.
_FORMULAS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "exponential": (("rate", "-ln({s1})/{t1}"),),
    "weibull": (
        ("shape", "ln(ln({s2})/ln({s1}))/ln({t2}/{t1})"),
        ("scale", "{t1}/(-ln({s1}))^(1/{shape})"),
    ),
    "loglogistic": (
        ("shape", "ln((1/({s2}) - 1)/(1/{s1} - 1))/ln({t2}/{t1})"),
        ("scale", "{t1}/(1/{s1} - 1)^(1/{shape})"),
    ),
}

_Z = 1.959963984540054

#: Logarithm of the most people that a beta of an interval stands for.
_LARGEST = 23.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """One published number to be drawn.

    Attributes
    ----------
    time : float
        Of the share; of a median, the median itself.
    share : float
        Alive at ``time``; among those alive at the landmark before, where ``given``.
    low, high : float or None
        95% interval of the share, or of the median.
    people : float or None
        Instead of an interval: the beta has the weight of so many.
    median, given : bool
    label : str
        For messages.
    """

    time: float
    share: float
    low: float | None = None
    high: float | None = None
    people: float | None = None
    median: bool = False
    given: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A number to draw: its row of `parameters` in numbers.

    ``a`` and ``b`` are of a beta, or meanlog and sdlog of a lognormal; None for a fixed number.
    """

    id: str
    label: str
    value: float
    unit: str
    distribution: str = ""
    a: float | None = None
    b: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A curve whose parameters are formulas of what is drawn.

    Attributes
    ----------
    inputs : tuple of Input
    formulas : tuple of (str, str, str)
        Id, parameter and formula of what follows from them.
    family : str
    parameters : str
        Cell of `curves`.
    """

    inputs: tuple[Input, ...]
    formulas: tuple[tuple[str, str, str], ...]
    family: str
    parameters: str


def _interval(a: float, b: float) -> tuple[float, float]:
    """Ends of a beta's central 95% interval."""
    ends = np.asarray(stats.beta.ppf([0.025, 0.975], a, b))
    return float(ends[0]), float(ends[1])


def beta_of_interval(mean: float, low: float, high: float) -> tuple[float, float]:
    """Give the beta with this mean whose central 95% interval is as wide as ``low`` to ``high``.

    Raises
    ------
    HeorError
        When no beta is so wide.
    """
    width = high - low

    def excess(log_size: float) -> float:
        size = np.exp(log_size)
        ends = _interval(mean * size, (1 - mean) * size)
        return float(ends[1] - ends[0] - width)

    smallest = float(np.log(1 / min(mean, 1 - mean)))  # with both shapes at least 1: one hump
    if excess(smallest) < 0:
        raise HeorError(f"an interval from {low:g} to {high:g} is too wide for a share of {mean:g}")
    if excess(_LARGEST) > 0:
        raise HeorError(f"an interval from {low:g} to {high:g} is too narrow for a share")
    size = float(np.exp(optimize.brentq(excess, smallest, _LARGEST, xtol=1e-13)))
    return mean * size, (1 - mean) * size


def _log_variance(a: float, b: float) -> float:
    """Variance of the logarithm of a beta variate."""
    return float(special.polygamma(1, a) - special.polygamma(1, a + b))


def beta_of_log_variance(mean: float, variance: float) -> tuple[float, float]:
    """Give the beta with this mean whose logarithm has this variance."""

    def excess(log_size: float) -> float:
        size = np.exp(log_size)
        return float(np.log(_log_variance(mean * size, (1 - mean) * size) / variance))

    size = float(np.exp(optimize.brentq(excess, -20.0, _LARGEST + 10.0, xtol=1e-13)))
    return mean * size, (1 - mean) * size


def check(family: str, landmarks: Sequence[Landmark]) -> list[tuple[str, str]]:
    """Say what is wrong with landmarks of a family, by their labels; empty when nothing is."""
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        return [
            ("--inputs landmarks", f"{family} is no formula of its landmarks; allowed: {known}")
        ]
    found = []
    if len(landmarks) != FAMILIES[family]:
        count = FAMILIES[family]
        plural = "" if count == 1 else "s"
        found.append(("--inputs landmarks", f"{family} takes {count} number{plural}, exactly"))
    for place, one in enumerate(sorted(landmarks, key=lambda mark: mark.time)):
        if one.median and family != "exponential":
            found.append((one.label, f"a median is for the exponential; {family} takes two --at"))
        if one.given and place == 0:
            found.append((one.label, "is among those alive at an earlier --at, which is missing"))
        if one.people is not None and place and not one.given:
            words = "people of a later landmark are those alive at the one before: say --given"
            found.append((one.label, words))
    return found


def as_constraints(landmarks: Sequence[Landmark]) -> list[Constraint]:
    """Give landmarks as numbers that a curve meets, `Landmark.given` shares multiplied out."""
    found: list[Constraint] = []
    before = 1.0
    for one in sorted(landmarks, key=lambda mark: mark.time):
        share = one.share * (before if one.given else 1.0)
        low, high = one.low, one.high
        if one.people is not None:
            low, high = _interval(one.share * one.people, (1 - one.share) * one.people)
        if one.given:
            low = high = None
        found.append(
            Constraint(
                share=share,
                time=one.time,
                low=low,
                high=high,
                of_time=one.median,
                label=one.label,
            )
        )
        before = share
    return found


def curve(family: str, landmarks: Sequence[Landmark], naming: Naming) -> Curve:
    """Give what is drawn and the formulas of a curve through it.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    landmarks : sequence of Landmark
        Such as `check` finds nothing wrong with.
    naming : Naming

    Raises
    ------
    HeorError
        When an interval is too wide for a beta, or the later one too narrow for the earlier.
    """
    ordered = sorted(landmarks, key=lambda mark: mark.time)
    first, later = ordered[0], ordered[1:]
    start = _input_of(first, naming)
    inputs = [start]
    texts = {"s1": start.id, "t1": _plain(first.time)}
    for second in later:
        follows = _conditional(first, start, second, naming)
        inputs.append(follows)
        texts |= {"s2": f"{start.id}*{follows.id}", "t2": _plain(second.time)}
    formulas = []
    made = _FORMULAS[family] if not first.median else (("rate", f"ln(2)/{start.id}"),)
    for name, formula in made:
        key = slug(f"{naming.prefix} {name}")
        formulas.append((key, name, formula.format(**texts)))
        texts[name] = key
    cell = "; ".join(f"{name}={key}" for key, name, _ in formulas)
    return Curve(inputs=tuple(inputs), formulas=tuple(formulas), family=family, parameters=cell)


def _plain(time: float) -> str:
    return str(int(time)) if time.is_integer() else repr(time)


def _input_of(one: Landmark, naming: Naming) -> Input:
    unit = naming.time_unit
    if one.median:
        key, label = slug(f"{naming.prefix} median"), f"{naming.endpoint.upper()}, median"
        if one.low is None or one.high is None:
            return Input(id=key, label=label, value=one.time, unit=unit)
        spread = float(np.log(one.high / one.low) / (2 * _Z))
        return Input(
            id=key,
            label=label,
            value=one.time,
            unit=unit,
            distribution="lognormal",
            a=float(np.log(one.time)),
            b=spread,
            low=one.low,
            high=one.high,
        )
    key = slug(f"{naming.prefix} s{one.time:g}")
    label = f"{naming.endpoint.upper()}, alive at {one.time:g} {unit}s"
    return _share(one, key, label, one.share)


def _share(one: Landmark, key: str, label: str, share: float) -> Input:
    if one.people is not None:
        a, b = share * one.people, (1 - share) * one.people
    elif one.low is not None and one.high is not None:
        try:
            a, b = beta_of_interval(share, one.low, one.high)
        except HeorError as error:
            raise HeorError(f"{one.label}: {error}") from error
    else:
        return Input(id=key, label=label, value=share, unit="proportion")
    return _beta(key, label, share, (a, b), (one.low, one.high))


def _beta(
    key: str,
    label: str,
    share: float,
    shapes: tuple[float, float],
    ends: tuple[float | None, float | None] = (None, None),
) -> Input:
    """A share to draw; its ends are the published ones, or the beta's."""
    a, b = shapes
    low, high = _interval(a, b)
    return Input(
        id=key,
        label=label,
        value=share,
        unit="proportion",
        distribution="beta",
        a=a,
        b=b,
        low=low if ends[0] is None else ends[0],
        high=high if ends[1] is None else ends[1],
    )


def _conditional(first: Landmark, start: Input, second: Landmark, naming: Naming) -> Input:
    """Share alive at the second landmark of those alive at the first.

    Logarithms of successive shares of a Kaplan-Meier curve are independent (Greenwood), so the
    variance of ln S at the second is that of the first and that of the share between them.
    """
    key = slug(f"{naming.prefix} s{second.time:g} given {first.time:g}")
    label = (
        f"{naming.endpoint.upper()}, alive at {second.time:g} {naming.time_unit}s of those alive "
        f"at {first.time:g}"
    )
    if second.given:
        return _share(second, key, label, second.share)
    share = second.share / first.share
    if second.low is None or second.high is None:
        return Input(id=key, label=label, value=share, unit="proportion")
    known = start.a is not None and start.b is not None
    before = _log_variance(start.a or 0.0, start.b or 0.0) if known else 0.0
    try:
        whole = beta_of_interval(second.share, second.low, second.high)
    except HeorError as error:
        raise HeorError(f"{second.label}: {error}") from error
    left = _log_variance(*whole) - before
    if left <= 0:
        raise HeorError(
            f"{second.label}: its interval is narrower, relative to its share, than the one at "
            f"{first.time:g} allows; give the share of those alive then, as --given"
        )
    return _beta(key, label, share, beta_of_log_variance(share, left))


def rows(made: Curve, naming: Naming, note: str) -> dict[str, list[dict[str, str]]]:
    """Give the rows of `parameters` and `curves`."""
    shared = {
        "category": "survival",
        "source": naming.source,
        "evidence": naming.evidence,
    }
    parameters = []
    for one in made.inputs:
        numbers = {"low": one.low, "high": one.high, "a": one.a, "b": one.b}
        parameters.append(
            {
                "id": one.id,
                "label": one.label,
                "value": repr(one.value),
                "unit": one.unit,
                "distribution": one.distribution,
                "note": note,
                **{name: "" if n is None else repr(n) for name, n in numbers.items()},
                **shared,
            }
        )
    units = {"rate": f"per {naming.time_unit}", "shape": "shape", "scale": naming.time_unit}
    for key, name, formula in made.formulas:
        label = f"{naming.endpoint.upper()}, {made.family} {name}"
        parameters.append(
            {"id": key, "label": label, "value": formula, "unit": units[name], **shared}
        )
    curves = {
        "id": slug(f"{naming.prefix} {made.family}"),
        "strategy": naming.strategy,
        "endpoint": naming.endpoint,
        "family": made.family,
        "parameters": made.parameters,
        "time_unit": naming.time_unit,
        "use": "x",
        "source": naming.source,
    }
    return {"parameters": parameters, "curves": [curves]}
