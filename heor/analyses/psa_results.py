"""Result types of the probabilistic analysis: draws, summaries, acceptability, convergence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heor.analyses.results import ON_FRONTIER, IncrementalRow, PairwiseRow
from heor.engine.outcomes import Outcomes
from heor.spec.parameters import Draws, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PsaResult:
    """All draws of a probabilistic analysis and what came out.

    Parameters
    ----------
    draws : Draws
        Inputs, each ``(draw,)``; of the first draws only where there are very many.
    outcomes : Outcomes
        ``(draw, strategy, outcome)``; totals only where there are very many draws.
    seed, n : int
        Seed and number of draws.
    sampler : str
        "random", "latin_hypercube" or "sobol".
    replicates : int
        Independent randomisations that the draws consist of; 1 for ``random``.
    replicate : array of int ``(draw,)``
        Which randomisation each draw belongs to, from 0.
    stopping : str
        Why ``n`` is what it is, in words, when a precision was asked for; else "".
    steps : tuple of (int, float)
        The way there: draws, and the standard error of INMB (currency) that they gave.
    """

    draws: Draws
    outcomes: Outcomes
    seed: int
    n: int
    sampler: str
    replicates: int
    replicate: NDArray[np.int64]
    stopping: str
    steps: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over draws: its Monte Carlo standard error, the draws' SD and 2.5-97.5 percentiles.

    ``mcse`` is NaN where it cannot be estimated (one draw, or one randomisation of a
    stratified sample).
    """

    mean: float
    mcse: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Probability:
    """A share of draws and its Monte Carlo standard error."""

    value: float
    mcse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PsaStrategy:
    """Means of one strategy.

    ``nmb`` and ``probability`` (the highest NMB of all strategies: the CEAC with its standard
    error) are per study threshold.
    """

    id: str
    label: str
    cost: Estimate
    qaly: Estimate
    ly: Estimate
    evly: Estimate
    nmb: tuple[Estimate, ...]
    probability: tuple[Probability, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PsaIncrement:
    """Means of one strategy against the reference.

    Parameters
    ----------
    id, versus : str
        Strategy and reference.
    delta_cost, delta_qaly, delta_ly, evlyg : Estimate
        Increments.
    inmb : tuple of Estimate
        Per study threshold.
    probability : tuple of Probability
        Share of draws with INMB > 0 (ties count half), per study threshold: against the
        reference alone, unlike the CEAC.
    icer : float or None
        Ratio of the means, never the mean of ratios; it has no interval (methods 6.3).
    icer_mcse : float or None
        Its Monte Carlo standard error (methods 7.4).
    status, quadrant : str
        Of the means, as in `PairwiseRow`.
    pairwise : PairwiseRow
        The means in the same form as the base case.
    quadrants : mapping of str to float
        Shares of draws in NE, SE, SW, NW and "on axis"; they sum to 1.
    """

    id: str
    versus: str
    delta_cost: Estimate
    delta_qaly: Estimate
    delta_ly: Estimate
    evlyg: Estimate
    inmb: tuple[Estimate, ...]
    probability: tuple[Probability, ...]
    icer: float | None
    icer_mcse: float | None
    status: str
    quadrant: str
    pairwise: PairwiseRow
    quadrants: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptability:
    """Acceptability, its frontier and the value of perfect information over thresholds.

    Parameters
    ----------
    strategies : tuple of str
        Order of the strategy axis.
    thresholds : array ``(threshold,)``
        Currency per QALY, rising.
    ceac : array ``(threshold, strategy)``
        Share of draws in which the strategy has the highest NMB of all; rows sum to 1.
    best : array of int ``(threshold,)``
        Index of the strategy with the highest mean NMB.
    ceaf : array ``(threshold,)``
        The CEAC of ``best``.
    evpi : array ``(threshold,)``
        Currency per patient, >= 0.
    expected_loss : array ``(threshold, strategy)``
        Mean NMB lost by always choosing the strategy; its smallest value is the EVPI.
    """

    strategies: tuple[str, ...]
    thresholds: FloatArray
    ceac: FloatArray
    best: NDArray[np.int64]
    ceaf: FloatArray
    evpi: FloatArray
    expected_loss: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """Running results of one comparison after the first ``draws`` draws; arrays ``(point,)``.

    ``icer`` is NaN where it has no meaning; ``probability`` is the share with INMB > 0;
    ``inmb_half_width`` is 1.96 s/√n of INMB (currency).
    """

    id: str
    versus: str
    threshold: float
    draws: NDArray[np.int64]
    delta_cost: FloatArray
    delta_qaly: FloatArray
    inmb: FloatArray
    inmb_half_width: FloatArray
    icer: FloatArray
    probability: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedDraws:
    """How many independent draws one comparison needs, and why.

    ``for_inmb`` and ``for_icer`` are the numbers each rule asks for (None where a rule does not
    apply), ``draws`` the larger, ``reached`` whether the analysis had as many.
    """

    id: str
    versus: str
    threshold: float
    draws: int | None
    for_inmb: int | None
    for_icer: int | None
    reached: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """How far the cap moved a strategy's curves over the draws (methods 1.3).

    ``mean_share`` and ``max_share`` are person-time moved as a share of undiscounted life years.
    ``draws`` counts draws in which any was moved, ``draws_over_limit`` those whose share exceeds
    ``limit`` (``over_limit``: any does). ``mean_years`` and ``mean_cycles`` are person-time and
    cycle boundaries, ``floor_years`` the mean person-time capped because of the
    background-mortality floor; ``floor_draws`` counts the draws with any.
    """

    strategy: str
    mean_share: float
    max_share: float
    limit: float
    over_limit: bool
    draws: int
    draws_over_limit: int
    of_draws: int
    mean_years: float
    mean_cycles: float
    floor_years: float
    floor_draws: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCheck:
    """Sampled inputs against what the table asked for (methods 7.5).

    ``error_in_se`` is sample mean − mean, ``sd_error_in_se`` sample SD − SD, each in Monte Carlo
    standard errors; ``sd_ratio`` the sample SD over the input SD. None where the distribution has
    no such moment, or no standard error is to be had. ``warning`` is "" when all is well.
    """

    parameter: str
    mean: float
    sd: float
    sample_mean: float
    sample_sd: float
    error_in_se: float | None
    sd_ratio: float | None
    sd_error_in_se: float | None
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationCheck:
    """Correlation of a pair over the draws against what the table asked for (methods 7.5).

    ``kind`` is "Spearman" or "Pearson"; ``se`` is the standard error of the sample correlation,
    ``error_in_se`` (achieved − asked)/se.
    """

    group: str
    kind: str
    row: str
    column: str
    asked: float
    achieved: float
    se: float
    error_in_se: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How precise the mean INMB of one comparison is, at one threshold (currency).

    ``half_width`` is that of a 95% interval by Student's t with ``degrees`` degrees of freedom,
    the randomisations less one for a stratified sample. ``mcse_if_random`` is the standard error
    that as many independent draws would have, ``gain`` the ratio of the variances: how many
    independent draws one draw is worth.
    """

    id: str
    threshold: float
    mean: float
    mcse: float
    degrees: int
    half_width: float
    mcse_if_random: float
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCheck:
    """A PSA mean against the base case: ``difference`` = PSA mean − base.

    ``in_mcse`` is the difference in Monte Carlo standard errors (None without an MCSE): a
    difference beyond chance is no error but the mark of a model that is not linear in its
    inputs, or of base values that are medians or modes; ``words`` says it.
    """

    strategy: str
    outcome: str
    base: float
    psa: float
    difference: float
    relative: float | None
    in_mcse: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PsaSummary:
    """Everything a report says about a probabilistic analysis.

    Parameters
    ----------
    n, seed, sampler, replicates, stopping
        As in `PsaResult`.
    reference : str
        Comparator.
    thresholds : tuple of float
        The study's thresholds.
    strategies : tuple of PsaStrategy
        In table order.
    increments : tuple of PsaIncrement
        Every other strategy against the reference.
    incremental : tuple of IncrementalRow
        The incremental table of the means.
    at_thresholds, curve : Acceptability
        At the study's thresholds, and over an axis that reaches where the curves stop moving.
    convergence : tuple of Convergence
        One per increment, at the middle threshold.
    recommended_draws : tuple of RecommendedDraws
        One per increment.
    crossing : tuple of Crossing
        One per strategy; empty when the outcomes carry no diagnostics.
    parameter_checks : tuple of ParameterCheck
        One per sampled parameter.
    correlation_checks : tuple of CorrelationCheck
        One per pair of jointly drawn parameters.
    precision : tuple of Precision
        One per increment, at the middle threshold.
    steps : tuple of (int, float)
        As in `PsaResult`.
    base_checks : tuple of BaseCheck
        PSA means against the base case; empty without one.
    warnings : tuple of str
        Sentences worth a look.
    """

    n: int
    seed: int
    sampler: str
    replicates: int
    stopping: str
    reference: str
    thresholds: tuple[float, ...]
    strategies: tuple[PsaStrategy, ...]
    increments: tuple[PsaIncrement, ...]
    incremental: tuple[IncrementalRow, ...]
    at_thresholds: Acceptability
    curve: Acceptability
    convergence: tuple[Convergence, ...]
    recommended_draws: tuple[RecommendedDraws, ...]
    crossing: tuple[Crossing, ...]
    parameter_checks: tuple[ParameterCheck, ...]
    correlation_checks: tuple[CorrelationCheck, ...]
    precision: tuple[Precision, ...]
    steps: tuple[tuple[int, float], ...]
    base_checks: tuple[BaseCheck, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CeaResult:
    """Cost-effectiveness of anybody's PSA output: frontier of the means and acceptability."""

    strategies: tuple[str, ...]
    n: int
    incremental: tuple[IncrementalRow, ...]
    acceptability: Acceptability

    @property
    def frontier(self) -> tuple[str, ...]:
        """Ids on the frontier in order of QALYs."""
        return tuple(row.id for row in self.incremental if row.status == ON_FRONTIER)
