"""Value of information: what knowing some inputs perfectly would be worth (methods 7.4).

The expected value of partial perfect information comes from regressions of incremental net
benefit on the inputs in question (Strong, Oakley & Brennan 2014, doi 10.1177/0272989X13505910).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heor.analyses import ceac, smoothing
from heor.analyses.psa_results import PsaResult
from heor.analyses.voi_results import Evppi, VoiResult
from heor.engine.timeline import discount_factor
from heor.errors import HeorError
from heor.spec.parameters import FloatArray
from heor.spec.records import DiscountRate, Settings, Spec

#: Draws of the regression's weights from which the standard error comes, and most draws of the
#: model over which each is averaged.
COEFFICIENT_DRAWS, AVERAGED_DRAWS = 200, 1_000

_SEED = 20_140_402


def population(incidence: float, years: float, rate: DiscountRate, after: float = 0.0) -> float:
    """Patients that a decision is for: Σ_y I/(1+r)^(y-1) over its years (methods 7.4).

    A year that is not whole counts by its part; patients before the year ``after`` do not count.

    Examples
    --------
    >>> round(population(1000.0, 2.5, DiscountRate(first=0.03)), 3)
    2442.172
    >>> round(population(1000.0, 2.5, DiscountRate(first=0.03), after=1.5), 3)
    956.735
    """
    starts: FloatArray = np.arange(np.ceil(years - 1e-9), dtype=np.float64)
    part = np.clip(np.minimum(years - starts, 1.0) - np.maximum(after - starts, 0.0), 0.0, 1.0)
    return float(incidence * (part * discount_factor(starts, rate)).sum())


def population_of(settings: Settings, after: float = 0.0) -> float | None:
    """`population` of a study; None where it gives no incidence or no decision horizon."""
    if settings.incidence is None or settings.decision_horizon is None:
        return None
    rate = settings.discount_rate_costs
    return population(settings.incidence, settings.decision_horizon, rate, after)


def run(
    spec: Spec,
    psa: PsaResult,
    groups: Mapping[str, Sequence[str]],
    thresholds: Sequence[float] | None = None,
) -> VoiResult:
    """Rank the drawn inputs of a study, and groups of them, by what knowing them is worth.

    Parameters
    ----------
    spec : Spec
        The study.
    psa : PsaResult
        Its probabilistic analysis.
    groups : mapping of str to sequence of str
        Inputs that become known together, by name.
    thresholds : sequence of float, optional
        When left out, the study's and the one at which the decision is least certain.

    Raises
    ------
    HeorError
        When a group names something that is not drawn.
    """
    inputs = drawn(spec, psa)
    for name, members in groups.items():
        for member in members:
            if member not in inputs:
                raise HeorError(f"group {name}: `{member}` is not a drawn parameter")
    names: dict[tuple[str, ...], str] = {
        (name,): spec.parameters[name].label or name for name in inputs
    }
    names |= {tuple(members): name for name, members in groups.items()}
    costs, qalys = totals(spec, psa)
    weight = spec.settings.severity_weight
    marks = marks_of(spec, costs, qalys, thresholds)
    found = evppi(inputs, list(names), costs, qalys, marks, weight)
    evpi = ceac.evpi(costs, qalys, marks, weight)
    return VoiResult(
        draws=len(costs),
        thresholds=np.asarray(marks, dtype=float),
        evpi=evpi,
        evpi_se=draws_error(_net_benefit(_increments(costs, qalys), np.asarray(marks), weight)),
        sets=ranked(found, evpi),
        names=names,
        patients=population_of(spec.settings),
    )


def totals(spec: Spec, psa: PsaResult) -> tuple[FloatArray, FloatArray]:
    """Costs and QALYs of every draw ``(draw, strategy)``, the reference first.

    Raises
    ------
    HeorError
        When there is one strategy alone.
    """
    strategies, reference = spec.strategy_ids(), spec.settings.reference
    if len(strategies) < 2:
        raise HeorError("with one strategy there is nothing to decide, so information has no value")
    order = sorted(range(len(strategies)), key=lambda i: strategies[i] != reference)
    return psa.outcomes.get("cost")[:, order], psa.outcomes.get("qaly")[:, order]


def marks_of(
    spec: Spec, costs: FloatArray, qalys: FloatArray, thresholds: Sequence[float] | None
) -> tuple[float, ...]:
    """Thresholds asked for, or the study's and the one at which the decision is least certain."""
    if thresholds is not None:
        return tuple(thresholds)
    own = spec.settings.thresholds
    worst = most_uncertain(costs, qalys, own, spec.settings.severity_weight)
    return tuple(sorted({*own, worst}))


def drawn(spec: Spec, psa: PsaResult) -> dict[str, FloatArray]:
    """Inputs that vary over the draws by a distribution of their own, in table order."""
    return {
        name: psa.draws.values[name]
        for name, parameter in spec.parameters.items()
        if parameter.expression is None and np.ptp(psa.draws.values[name]) > 0
    }


def most_uncertain(
    costs: FloatArray, qalys: FloatArray, thresholds: Sequence[float] = (), weight: float = 1.0
) -> float:
    """Threshold at which the EVPI is largest, on the axis of the acceptability curves."""
    axis = ceac.threshold_grid(costs, qalys, thresholds, weight)
    return float(axis[int(ceac.evpi(costs, qalys, axis, weight).argmax())])


def ranked(sets: Sequence[Evppi], evpi: FloatArray) -> tuple[Evppi, ...]:
    """Largest value first, at the threshold of the largest EVPI; then what explains most."""
    at = int(evpi.argmax())
    return tuple(sorted(sets, key=lambda one: (-one.evppi[at], -one.explained[at])))


def evppi(
    inputs: Mapping[str, FloatArray],
    sets: Sequence[Sequence[str]],
    costs: FloatArray,
    qalys: FloatArray,
    thresholds: Sequence[float],
    severity_weight: float = 1.0,
) -> list[Evppi]:
    """Expected value of partial perfect information of sets of inputs.

    Parameters
    ----------
    inputs : mapping of str to array ``(draw,)``
        Drawn inputs.
    sets : sequence of sequences of str
        The inputs that become known together.
    costs, qalys : array ``(draw, strategy)``
        Results of the draws; the first strategy is the reference of the regressions.
    thresholds : sequence of float
        Currency per QALY.
    severity_weight : float
        Weight of QALYs in net benefit.

    Returns
    -------
    list of Evppi
        One per set, never above the EVPI of the draws nor below 0.
    """
    marks = np.asarray(thresholds, dtype=float)
    limit = ceac.evpi(costs, qalys, marks, severity_weight)
    return [
        _one_set(inputs, tuple(names), costs, qalys, marks, severity_weight, limit)
        for names in sets
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What seeing some numbers is worth, by regression; arrays ``(threshold,)``.

    Attributes
    ----------
    value, se : array
        Per patient, from 0 to the EVPI, and its standard error from the regression's weights.
    draws_se : array
        Monte Carlo standard error of ``value`` over independent draws.
    explained, lack_of_fit : array
        As of `Evppi`.
    """

    value: FloatArray
    se: FloatArray
    draws_se: FloatArray
    explained: FloatArray
    lack_of_fit: FloatArray


def worth_of(
    x: FloatArray,
    costs: FloatArray,
    qalys: FloatArray,
    thresholds: FloatArray,
    weight: float,
    limit: FloatArray,
) -> Worth:
    """Value of deciding after seeing numbers ``x`` ``(draw, number)``, at most ``limit``.

    The numbers may be inputs (EVPPI) or sum up data simulated from each draw (EVSI).
    """
    increments = _increments(costs, qalys)
    others = costs.shape[1] - 1
    fits = smoothing.regress(x, increments)
    known = _net_benefit([f.fitted for f in fits], thresholds, weight)
    actual = _net_benefit(increments, thresholds, weight)
    lack = [
        min(smoothing.lack_of_fit(x, residual) for residual in at_threshold) * others
        for at_threshold in actual - known
    ]
    return Worth(
        value=np.clip(_worth(known), 0.0, limit),
        se=_standard_errors(fits, increments, thresholds, weight),
        draws_se=draws_error(known),
        explained=_explained(known, actual),
        lack_of_fit=np.minimum(lack, 1.0),
    )


def _one_set(
    inputs: Mapping[str, FloatArray],
    names: tuple[str, ...],
    costs: FloatArray,
    qalys: FloatArray,
    thresholds: FloatArray,
    weight: float,
    limit: FloatArray,
) -> Evppi:
    x = np.column_stack([inputs[name] for name in names])
    found = worth_of(x, costs, qalys, thresholds, weight, limit)
    return Evppi(
        parameters=names,
        thresholds=thresholds,
        evppi=found.value,
        se=found.se,
        explained=found.explained,
        lack_of_fit=found.lack_of_fit,
    )


def _increments(costs: FloatArray, qalys: FloatArray) -> list[FloatArray]:
    """QALYs of every strategy over the first, then costs, each ``(draw,)``."""
    others = range(1, costs.shape[1])
    return [values[:, s] - values[:, 0] for values in (qalys, costs) for s in others]


def draws_error(known: FloatArray) -> FloatArray:
    """Monte Carlo standard error of what deciding by ``known`` is worth, ``(threshold,)``.

    ``known`` is incremental net benefit ``(threshold, strategy, draw)``, the draws independent.
    """
    gain = np.maximum(known.max(axis=1), 0.0)
    means = known.mean(axis=-1)
    best = means.argmax(axis=1)
    for row, place in enumerate(best):
        if means[row, place] > 0:
            gain[row] -= known[row, place]
    count = known.shape[-1]
    if count < 2:
        return np.full(len(known), np.nan)
    error: FloatArray = gain.std(axis=-1, ddof=1) / np.sqrt(count)
    return error


def _net_benefit(parts: Sequence[FloatArray], thresholds: FloatArray, weight: float) -> FloatArray:
    """Incremental net benefit ``(threshold, strategy, draw)`` from QALYs, then costs."""
    half = len(parts) // 2
    qaly, cost = np.stack(parts[:half]), np.stack(parts[half:])
    result: FloatArray = weight * thresholds[:, None, None] * qaly - cost
    return result


def _worth(known: FloatArray) -> FloatArray:
    """Mean of the best less the best of the means, ``(threshold,)``; the reference is 0."""
    best = np.maximum(known.max(axis=1), 0.0).mean(axis=-1)
    worth: FloatArray = best - np.maximum(known.mean(axis=-1).max(axis=1), 0.0)
    return worth


def _explained(known: FloatArray, actual: FloatArray) -> FloatArray:
    """R² ``(threshold,)``, the mean over strategies; 0 where nothing varies."""
    whole = actual.var(axis=-1)
    share = np.divide(known.var(axis=-1), whole, out=np.zeros_like(whole), where=whole > 0)
    result: FloatArray = share.mean(axis=1)
    return result


def _standard_errors(
    fits: Sequence[smoothing.Smooth],
    increments: Sequence[FloatArray],
    thresholds: FloatArray,
    weight: float,
) -> FloatArray:
    """Standard deviation of the value over draws of the regressions' weights, ``(threshold,)``.

    What costs and QALYs of the strategies leave unexplained is correlated, so their weights are.
    """
    rng = np.random.default_rng(_SEED)
    left = np.stack([y - f.fitted for y, f in zip(increments, fits, strict=True)])
    with np.errstate(all="ignore"):
        correlation = np.atleast_2d(np.corrcoef(left))
    correlation = np.where(np.isfinite(correlation), correlation, np.eye(len(fits)))
    values, axes = np.linalg.eigh(correlation)
    root = axes * np.sqrt(np.maximum(values, 0.0))
    terms = max(len(f.mean) for f in fits)
    noise = root @ rng.standard_normal((terms, len(fits), COEFFICIENT_DRAWS))
    some = slice(None, None, max(1, len(fits[0].fitted) // AVERAGED_DRAWS))
    surfaces = np.stack(
        [
            f.basis[some] @ (f.mean[:, None] + f.spread[:, None] * noise[: len(f.mean), place])
            for place, f in enumerate(fits)
        ]
    )
    half = len(fits) // 2
    found = np.empty((len(thresholds), COEFFICIENT_DRAWS))
    for values, threshold in zip(found, thresholds, strict=True):
        benefit = weight * threshold * surfaces[:half]
        benefit -= surfaces[half:]
        highest = np.maximum(benefit.mean(axis=1).max(axis=0), 0.0)
        values[:] = np.maximum(benefit.max(axis=0), 0.0).mean(axis=0) - highest
    error: FloatArray = found.std(axis=1, ddof=1)
    return error
