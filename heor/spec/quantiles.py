"""Quantile functions and moments of the distributions, from their parameters (methods 7.1).

Every function takes the parameters ``p`` in the order of ``distributions.DISTRIBUTIONS``; quantile
functions take probabilities of any shape. ``scipy.special`` is enough: ``scipy.stats`` is slow to
import.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]
Parameters = tuple[float, ...]

#: Weight of the mode in a pert distribution.
PERT_LAMBDA = 4.0


def _fixed_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.full(u.shape, p[0])


def _normal_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.asarray(p[0] + p[1] * special.ndtri(u))


def _lognormal_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.asarray(np.exp(p[0] + p[1] * special.ndtri(u)))


def _beta_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.asarray(special.betaincinv(p[0], p[1], u))


def _gamma_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.asarray(p[1] * special.gammaincinv(p[0], u))


def _uniform_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return p[0] + (p[1] - p[0]) * u


def _triangular_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    low, high, mode = p
    width = high - low
    rising = low + np.sqrt(u * width * (mode - low))
    falling = high - np.sqrt((1.0 - u) * width * (high - mode))
    return np.where(u * width < mode - low, rising, falling)


def _pert_shapes(p: Parameters) -> tuple[float, float]:
    low, high, mode = p
    width = high - low
    return 1 + PERT_LAMBDA * (mode - low) / width, 1 + PERT_LAMBDA * (high - mode) / width


def _pert_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.asarray(p[0] + (p[1] - p[0]) * special.betaincinv(*_pert_shapes(p), u))


def _empirical_ppf(u: FloatArray, p: Parameters) -> FloatArray:
    return np.asarray(np.interp(u * (len(p) - 1), np.arange(len(p)), p))


def _first(p: Parameters) -> float:
    return p[0]


def _second(p: Parameters) -> float:
    return p[1]


def _zero(p: Parameters) -> float:
    del p
    return 0.0


def _lognormal_mean(p: Parameters) -> float:
    return math.exp(p[0] + p[1] ** 2 / 2)


def _lognormal_sd(p: Parameters) -> float:
    return _lognormal_mean(p) * math.sqrt(math.expm1(p[1] ** 2))


def _beta_mean(p: Parameters) -> float:
    return p[0] / (p[0] + p[1])


def _beta_sd(p: Parameters) -> float:
    total = p[0] + p[1]
    return math.sqrt(p[0] * p[1] / (total + 1)) / total


def _gamma_mean(p: Parameters) -> float:
    return p[0] * p[1]


def _gamma_sd(p: Parameters) -> float:
    return math.sqrt(p[0]) * p[1]


def _uniform_mean(p: Parameters) -> float:
    return (p[0] + p[1]) / 2


def _uniform_sd(p: Parameters) -> float:
    return (p[1] - p[0]) / math.sqrt(12)


def _triangular_mean(p: Parameters) -> float:
    return sum(p) / 3


def _triangular_sd(p: Parameters) -> float:
    left, right = p[2] - p[0], p[1] - p[2]
    return math.sqrt((left**2 + left * right + right**2) / 18)


def _pert_mean(p: Parameters) -> float:
    return (p[0] + PERT_LAMBDA * p[2] + p[1]) / (PERT_LAMBDA + 2)


def _pert_sd(p: Parameters) -> float:
    return (p[1] - p[0]) * _beta_sd(_pert_shapes(p))


def _empirical_mean(p: Parameters) -> float:
    return math.fsum(p) / len(p) if p else math.nan


def _empirical_sd(p: Parameters) -> float:
    return float(np.std(p, ddof=1)) if len(p) > 1 else math.nan


class Quantiles(NamedTuple):
    """What a distribution computes from its parameters."""

    ppf: Callable[[FloatArray, Parameters], FloatArray]
    mean: Callable[[Parameters], float]
    sd: Callable[[Parameters], float]


#: Quantile function, mean and SD of each distribution; of the marginal where it is joint.
QUANTILES: Mapping[str, Quantiles] = {
    "fixed": Quantiles(_fixed_ppf, _first, _zero),
    "normal": Quantiles(_normal_ppf, _first, _second),
    "lognormal": Quantiles(_lognormal_ppf, _lognormal_mean, _lognormal_sd),
    "beta": Quantiles(_beta_ppf, _beta_mean, _beta_sd),
    "gamma": Quantiles(_gamma_ppf, _gamma_mean, _gamma_sd),
    "uniform": Quantiles(_uniform_ppf, _uniform_mean, _uniform_sd),
    "triangular": Quantiles(_triangular_ppf, _triangular_mean, _triangular_sd),
    "pert": Quantiles(_pert_ppf, _pert_mean, _pert_sd),
    "dirichlet": Quantiles(_beta_ppf, _beta_mean, _beta_sd),
    "multivariate_normal": Quantiles(_normal_ppf, _first, _second),
    "empirical": Quantiles(_empirical_ppf, _empirical_mean, _empirical_sd),
}
