"""Results of an analysis of the value of information (methods 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heor.spec.parameters import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Evppi:
    """Value of knowing a set of inputs, per patient, at each threshold.

    Attributes
    ----------
    parameters : tuple of str
        The inputs.
    thresholds : array ``(threshold,)``
        Currency per QALY.
    evppi, se : array ``(threshold,)``
        Value and its standard error from the regression, in currency.
    explained : array ``(threshold,)``
        Share of the variance of incremental net benefit that the inputs explain (R²), the mean
        over strategies.
    lack_of_fit : array ``(threshold,)``
        Smallest probability of the residuals' pattern, see `heor.analyses.smoothing.lack_of_fit`;
        below 0.01 the regression misses something.
    """

    parameters: tuple[str, ...]
    thresholds: FloatArray
    evppi: FloatArray
    se: FloatArray
    explained: FloatArray
    lack_of_fit: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiResult:
    """Value of information of a probabilistic analysis.

    Attributes
    ----------
    draws : int
        Draws that it rests on.
    thresholds, evpi : array ``(threshold,)``
        Currency per QALY, and the value of knowing everything, per patient.
    evpi_se : array ``(threshold,)``
        Monte Carlo standard error of ``evpi``, of independent draws.
    sets : tuple of Evppi
        Ranked by value at the threshold of the largest EVPI, then by what they explain.
    names : mapping of tuple of str to str
        What each set is called.
    patients : float or None
        Discounted patients over the decision horizon (methods 7.4); None where the study does not
        say how many there are.
    """

    draws: int
    thresholds: FloatArray
    evpi: FloatArray
    evpi_se: FloatArray
    sets: tuple[Evppi, ...]
    names: Mapping[tuple[str, ...], str]
    patients: float | None
