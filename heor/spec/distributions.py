"""Probability distributions of parameters: the registry, how cells make one, and its quantiles.

Methods 7.1. Quantile functions use ``scipy.special`` alone. Every draw of a model is a quantile of
a uniform number, so a distribution is its inverse distribution function with a mean and an SD.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from heor.spec.quantiles import QUANTILES, FloatArray, Parameters

#: Width of a 95% interval in standard errors, as methods 7.1 writes it.
INTERVAL_WIDTH = 3.92


class DistributionError(ValueError):
    """Cells do not make a distribution.

    Parameters
    ----------
    message : str
        A sentence with the value found and the range allowed.
    field : str
        The column at fault: ``value``, ``se``, ``a``, ``b``, ``low``, ``high``, ``distribution``.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field

    def __reduce__(self) -> tuple[type[DistributionError], tuple[str, str]]:
        return DistributionError, (str(self), self.field)


@dataclass(frozen=True, slots=True)
class DistributionType:
    """One entry of the registry.

    Parameters
    ----------
    name : str
        What the ``distribution`` column holds.
    parameters : tuple of str
        Names of the parameters, in order; the first two are the columns ``a`` and ``b``.
    meaning : str
        One line for the documentation.
    support : str
        Values that can be drawn.
    cells : str
        Which columns define it.
    joint : bool
        Drawn together with other parameters.
    """

    name: str
    parameters: tuple[str, ...]
    meaning: str
    support: str
    cells: str
    joint: bool = False


_TYPES = (
    DistributionType("fixed", ("value",), "a number without uncertainty", "the value", "value"),
    DistributionType(
        "normal", ("mean", "sd"), "symmetric, any sign", "all numbers", "a and b; or value and se"
    ),
    DistributionType(
        "lognormal",
        ("meanlog", "sdlog"),
        "ratios and skewed amounts; the logarithm is normal",
        "above 0",
        "a and b; or value (mean) and se; or value (median) and the 95% interval low, high",
    ),
    DistributionType(
        "beta",
        ("alpha", "beta"),
        "probabilities, proportions and utilities",
        "between 0 and 1",
        "a and b; or value and se",
    ),
    DistributionType(
        "gamma", ("shape", "scale"), "costs and durations", "above 0", "a and b; or value and se"
    ),
    DistributionType(
        "uniform",
        ("min", "max"),
        "a range without a best value",
        "min to max",
        "a and b; or low and high",
    ),
    DistributionType(
        "triangular",
        ("min", "max", "mode"),
        "a range with a most likely value",
        "min to max",
        "value (the mode) with a and b, or with low and high",
    ),
    DistributionType(
        "pert",
        ("min", "max", "mode"),
        "a range with a most likely value, smooth: a beta stretched over the range",
        "min to max",
        "value (the mode) with a and b, or with low and high",
    ),
    DistributionType(
        "dirichlet",
        ("alpha", "others"),
        "one of several shares that sum to 1; a row per share",
        "between 0 and 1",
        "a (alpha of this share); correlation_group names the set of shares",
        joint=True,
    ),
    DistributionType(
        "multivariate_normal",
        ("mean", "sd"),
        "one of several estimates with a covariance matrix",
        "all numbers",
        "value; correlation_group names the set; covariances stand in correlations, "
        "variances there or as se",
        joint=True,
    ),
    DistributionType(
        "empirical",
        (),
        "one column of the joint rows of the draws table",
        "the drawn values",
        "the column of that id in draws",
        joint=True,
    ),
)

#: All distributions by name.
DISTRIBUTIONS: Mapping[str, DistributionType] = {entry.name: entry for entry in _TYPES}


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution with its parameters; made by `make` and its two companions.

    Parameters
    ----------
    name : str
        A key of `DISTRIBUTIONS`.
    parameters : tuple of float
        In the order of the registry. ``dirichlet``: alpha of this share and the sum of the others'.
        ``empirical``: the drawn values in rising order, or none when they are not known yet.
        ``multivariate_normal``: the SD is NaN while only the covariance table knows it.
    """

    name: str
    parameters: tuple[float, ...]

    @property
    def joint(self) -> bool:
        """Drawn together with other parameters."""
        return DISTRIBUTIONS[self.name].joint

    def ppf(self, u: FloatArray) -> FloatArray:
        """Quantiles of probabilities ``u``, any shape; of the marginal where it is joint."""
        if self.name == "empirical" and not self.parameters:
            raise DistributionError("the draws of an empirical are not known yet", "distribution")
        with np.errstate(over="ignore"):
            return QUANTILES[self.name].ppf(np.asarray(u, dtype=np.float64), self.parameters)

    @property
    def mean(self) -> float:
        """Mean, in the unit of the parameter."""
        return QUANTILES[self.name].mean(self.parameters)

    @property
    def sd(self) -> float:
        """Standard deviation, in the unit of the parameter."""
        return QUANTILES[self.name].sd(self.parameters)

    @property
    def median(self) -> float:
        """Median, in the unit of the parameter."""
        return math.exp(self.parameters[0]) if self.name == "lognormal" else self.quantile(0.5)

    def quantile(self, p: float) -> float:
        """Quantile of one probability ``p``."""
        return float(self.ppf(np.array([p]))[0])

    def describe(self) -> str:
        """Text such as ``beta(alpha=10, beta=29)``, six significant digits."""
        if self.name == "empirical":
            return f"empirical({len(self.parameters)} draws)" if self.parameters else "empirical"
        names = DISTRIBUTIONS[self.name].parameters
        inner = ", ".join(f"{n}={x:.6g}" for n, x in zip(names, self.parameters, strict=True))
        return f"{self.name}({inner})"


def make(
    name: str,
    *,
    value: float,
    se: float | None = None,
    a: float | None = None,
    b: float | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Distribution:
    """Make a distribution from a row's cells (methods 7.1).

    ``a`` and ``b`` are its parameters; where they are given, ``se``, ``low`` and ``high`` do not
    define it. Else ``value`` and ``se`` are its mean and SD. Else a lognormal is made of its
    median ``value`` and 95% interval, and uniform, triangular and pert of their range
    ``low`` to ``high``.

    Parameters
    ----------
    name : str
        A key of `DISTRIBUTIONS`.
    value : float
        The base value: the mean, the median (lognormal by interval or by a, b) or the mode
        (triangular, pert).
    se : float, optional
        Standard error, in the unit of the value.
    a, b : float, optional
        Parameters in the order of the registry.
    low, high : float, optional
        The row's interval.

    Raises
    ------
    DistributionError
        With the column at fault and the range allowed.
    """
    if name not in DISTRIBUTIONS:
        close = get_close_matches(name.lower(), DISTRIBUTIONS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise DistributionError(
            f"unknown distribution '{name}'; allowed are {', '.join(DISTRIBUTIONS)}{hint}",
            "distribution",
        )
    cells = _Cells(value=value, se=se, a=a, b=b, low=low, high=high)
    for field, number in cells._asdict().items():
        if number is not None and not math.isfinite(number):
            raise DistributionError(f"a finite number is needed, found {number}", field)
    return Distribution(name, _MAKERS[name](cells))


def make_dirichlet(alpha: float, total: float) -> Distribution:
    """Make one share of a Dirichlet whose alphas sum to ``total``."""
    _need(alpha > 0, f"a (alpha) must be above 0, found {alpha:g}", "a")
    _need(total > alpha, f"the alphas must sum to more than {alpha:g}, found {total:g}", "a")
    return Distribution("dirichlet", (float(alpha), float(total - alpha)))


def make_empirical(values: Sequence[float] | FloatArray) -> Distribution:
    """Make the marginal of a column of the ``draws`` table."""
    column = np.sort(np.asarray(values, dtype=np.float64))
    _need(len(column) > 0, "the draws table has no rows", "distribution")
    _need(bool(np.isfinite(column).all()), "a draw is not a finite number", "distribution")
    return Distribution("empirical", tuple(column.tolist()))


def agreement(distribution: Distribution, value: float) -> float | None:
    """Distance of a base value from the centre of its distribution, in SDs (methods 7.1).

    Returns
    -------
    float or None
        ``|value - mean|`` over the SD; of a lognormal, whose value may be its median as well, the
        smaller of both distances. None where the value is the mode (triangular, pert) or there is
        no SD.
    """
    if distribution.name in ("triangular", "pert"):
        return None
    sd = distribution.sd
    if not sd > 0:
        return None
    distance = abs(value - distribution.mean)
    if distribution.name == "lognormal":
        distance = min(distance, abs(value - distribution.median))
    return distance / sd


class _Cells(NamedTuple):
    """The numbers of a row that can define a distribution."""

    value: float
    se: float | None
    a: float | None
    b: float | None
    low: float | None
    high: float | None


def _need(condition: bool, message: str, field: str) -> None:
    if not condition:
        raise DistributionError(message, field)


def _pair(name: str, cells: _Cells, otherwise: str) -> tuple[float, float] | None:
    """Columns a and b when both are given; an error when one is missing or ``otherwise`` is due."""
    first, second = DISTRIBUTIONS[name].parameters[:2]
    if cells.a is not None and cells.b is not None:
        return cells.a, cells.b
    _need(cells.a is None, f"b ({second}) is missing beside a ({first}) of a {name}", "b")
    _need(cells.b is None, f"a ({first}) is missing beside b ({second}) of a {name}", "a")
    _need(
        not otherwise or cells.se is not None,
        f"a {name} needs a ({first}) and b ({second}), or {otherwise}",
        "se" if otherwise else "a",
    )
    return None


def _mean_and_se(name: str, cells: _Cells) -> tuple[float, float]:
    """Value and se, checked to be positive where the distribution is."""
    se = cells.se
    assert se is not None
    _need(
        se > 0,
        f"the standard error must be above 0, found {se:g}; leave the distribution empty for a "
        "fixed number",
        "se",
    )
    if name != "normal":
        _need(
            cells.value > 0, f"the mean of a {name} must be above 0, found {cells.value:g}", "value"
        )
    return cells.value, se


def _positive(name: str, pair: tuple[float, float], *, both: bool = True) -> Parameters:
    """Parameters of columns a and b, which must be above 0 (``both``: a as well as b)."""
    for field, label, number in zip(("a", "b"), DISTRIBUTIONS[name].parameters, pair, strict=True):
        _need(
            number > 0 or (field == "a" and not both),
            f"{field} ({label}) of a {name} must be above 0, found {number:g}",
            field,
        )
    return pair


def _make_fixed(cells: _Cells) -> Parameters:
    return (cells.value,)


def _make_normal(cells: _Cells) -> Parameters:
    pair = _pair("normal", cells, "se beside the value")
    return _positive("normal", pair, both=False) if pair else _mean_and_se("normal", cells)


def _make_lognormal(cells: _Cells) -> Parameters:
    interval = cells.se is None and (cells.low is not None or cells.high is not None)
    if cells.a is None and cells.b is None and interval:
        return _lognormal_of_interval(cells)
    pair = _pair("lognormal", cells, "se beside the value, or a 95% interval in low and high")
    if pair:
        return _positive("lognormal", pair, both=False)
    mean, se = _mean_and_se("lognormal", cells)
    variance = math.log1p((se / mean) ** 2)
    return math.log(mean) - variance / 2, math.sqrt(variance)


def _lognormal_of_interval(cells: _Cells) -> Parameters:
    low, high, value = cells.low, cells.high, cells.value
    if low is None or high is None:
        missing, there = ("low", "high") if low is None else ("high", "low")
        raise DistributionError(f"{missing} is missing beside {there} of a lognormal", missing)
    _need(low > 0, f"low of a lognormal must be above 0, found {low:g}", "low")
    _need(high > low, f"high must be above low ({low:g}), found {high:g}", "high")
    _need(
        low < value < high,
        f"the median of a lognormal must lie between low and high, {low:g} to {high:g}, "
        f"found {value:g}",
        "value",
    )
    return math.log(value), math.log(high / low) / INTERVAL_WIDTH


def _make_beta(cells: _Cells) -> Parameters:
    pair = _pair("beta", cells, "se beside the value")
    if pair:
        return _positive("beta", pair)
    _need(
        0 < cells.value < 1,
        f"the mean of a beta must lie between 0 and 1, found {cells.value:g}",
        "value",
    )
    mean, se = _mean_and_se("beta", cells)
    largest = math.sqrt(mean * (1 - mean))
    _need(
        se < largest,
        f"standard error {se:g} is too large for a beta with mean {mean:g}; "
        f"it must be below {largest:.3g}",
        "se",
    )
    size = mean * (1 - mean) / se**2 - 1
    return mean * size, (1 - mean) * size


def _make_gamma(cells: _Cells) -> Parameters:
    pair = _pair("gamma", cells, "se beside the value")
    if pair:
        return _positive("gamma", pair)
    mean, se = _mean_and_se("gamma", cells)
    return (mean / se) ** 2, se**2 / mean


def _range(name: str, cells: _Cells) -> tuple[float, float]:
    """Range of a bounded distribution: a and b, else low and high; the value lies inside."""
    pair = _pair(name, cells, "")
    low_column, high_column = "a", "b"
    if pair is None:
        low_column, high_column = "low", "high"
        if cells.low is None or cells.high is None:
            raise DistributionError(
                f"a {name} needs a (min) and b (max), or low and high",
                "low" if cells.low is None else "high",
            )
        pair = cells.low, cells.high
    low, high = pair
    _need(
        low < high,
        f"{high_column} must be above {low_column} ({low:g}), found {high:g}",
        high_column,
    )
    _need(
        low <= cells.value <= high,
        f"the value of a {name} must lie between its ends, {low:g} to {high:g}, "
        f"found {cells.value:g}",
        "value",
    )
    return low, high


def _make_uniform(cells: _Cells) -> Parameters:
    return _range("uniform", cells)


def _make_triangular(cells: _Cells) -> Parameters:
    return (*_range("triangular", cells), cells.value)


def _make_pert(cells: _Cells) -> Parameters:
    return (*_range("pert", cells), cells.value)


def _make_dirichlet(cells: _Cells) -> Parameters:
    alpha = cells.a
    if alpha is None:
        raise DistributionError("a dirichlet needs a (alpha of this share)", "a")
    _need(alpha > 0, f"a (alpha) of a dirichlet must be above 0, found {alpha:g}", "a")
    _need(
        cells.b is None,
        "a dirichlet takes a alone; the other shares of its correlation_group hold the rest",
        "b",
    )
    _need(
        0 < cells.value < 1,
        f"a share must lie between 0 and 1, found {cells.value:g}",
        "value",
    )
    return alpha, alpha * (1 - cells.value) / cells.value


def _make_multivariate_normal(cells: _Cells) -> Parameters:
    for field, number in (("a", cells.a), ("b", cells.b)):
        _need(
            number is None,
            "a multivariate_normal takes its mean from value and its SD from se or from the "
            f"covariances; leave {field} empty",
            field,
        )
    if cells.se is None:
        return cells.value, math.nan
    _need(cells.se > 0, f"the standard error must be above 0, found {cells.se:g}", "se")
    return cells.value, cells.se


def _make_empirical(cells: _Cells) -> Parameters:
    del cells
    return ()


_MAKERS: Mapping[str, Callable[[_Cells], Parameters]] = {
    "fixed": _make_fixed,
    "normal": _make_normal,
    "lognormal": _make_lognormal,
    "beta": _make_beta,
    "gamma": _make_gamma,
    "uniform": _make_uniform,
    "triangular": _make_triangular,
    "pert": _make_pert,
    "dirichlet": _make_dirichlet,
    "multivariate_normal": _make_multivariate_normal,
    "empirical": _make_empirical,
}
