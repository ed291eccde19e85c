"""Expected value of sample information: what a study of some size would be worth (methods 7.8).

Data are simulated from every draw of the probabilistic analysis, which is the prior. Two routes
say what they are worth: regression of net benefit on a few numbers that sum up the data (Strong,
Oakley, Brennan & Breeze 2015, doi 10.1177/0272989X15575286), and, as a check that does without
such numbers, the draws weighted by the likelihood of the data (Menzies 2016, doi
10.1177/0272989X15583495).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heor.analyses import ceac, designs, voi
from heor.analyses.psa_results import PsaResult
from heor.errors import HeorError
from heor.spec.parameters import FloatArray
from heor.spec.records import Spec

#: Data sets of the check, and how many are weighed at a time.
WEIGHED, BLOCK = 1_000, 100

#: Fewer draws than this carry the weight of a data set: the check is not to be relied on.
FEWEST_EFFECTIVE = 100.0

_SEED = 20_150_701


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a study costs, and when its results are there.

    Attributes
    ----------
    fixed, per_patient : float
        In currency, spent now.
    delay : float or None
        Years until the results; patients before do not benefit. None: the longest follow-up.
    """

    fixed: float = 0.0
    per_patient: float = 0.0
    delay: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A design at one size; arrays ``(threshold,)``, per patient where not said otherwise.

    Attributes
    ----------
    patients : int
        Of the study.
    evsi, se : array
        By regression, with a standard error that holds regression and draws.
    check, check_se : array
        By weighted draws, with a standard error that holds data sets and draws.
    effective : float
        Draws that carry the weight of a data set, the median over data sets.
    explained : array
        Share of the variance of net benefit that the data explain.
    population : array or None
        EVSI of all patients after the delay, discounted; None without their number.
    cost : float
        Of the study.
    net_benefit : array or None
        ``population`` less ``cost``: expected net benefit of sampling.
    """

    patients: int
    evsi: FloatArray
    se: FloatArray
    check: FloatArray
    check_se: FloatArray
    effective: float
    explained: FloatArray
    population: FloatArray | None
    cost: float
    net_benefit: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignResult:
    """A design at every size.

    Attributes
    ----------
    design : Design
    delay : float
        Years until the results.
    served : float or None
        Discounted patients after that.
    samples : tuple of Sample
        By rising size.
    best : tuple of (int or None)
        By threshold, the size with the largest net benefit of sampling; None where no size is
        worth its cost, or patients are not known.
    """

    design: designs.Design
    delay: float
    served: float | None
    samples: tuple[Sample, ...]
    best: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvsiResult:
    """Designs compared; ``thresholds`` and ``evpi`` are ``(threshold,)``."""

    draws: int
    thresholds: FloatArray
    evpi: FloatArray
    designs: tuple[DesignResult, ...]


def run(
    spec: Spec,
    psa: PsaResult,
    wanted: Sequence[designs.Design],
    sizes: Sequence[int],
    costs: Costs,
    thresholds: Sequence[float] | None = None,
) -> EvsiResult:
    """Value of designs at several sizes.

    Parameters
    ----------
    spec : Spec
        The study.
    psa : PsaResult
        Its probabilistic analysis: what is known before.
    wanted : sequence of Design
    sizes : sequence of int
        Patients of each study, 1 or more.
    costs : Costs
    thresholds : sequence of float, optional
        When left out, the study's and the one at which the decision is least certain.

    Raises
    ------
    HeorError
        When a design does not fit the study, or the study's patients are not known but costs are,
        or there is one strategy or one draw alone.
    """
    if voi.population_of(spec.settings) is None and (costs.fixed or costs.per_patient):
        raise HeorError(
            "a study's cost can be weighed only where the settings `incidence` and "
            "`decision_horizon` say how many patients its results are for"
        )
    cost, qaly = voi.totals(spec, psa)
    if len(cost) < 2:
        raise HeorError("the value of a study needs 2 draws or more, found 1")
    marks = np.asarray(voi.marks_of(spec, cost, qaly, thresholds), dtype=np.float64)
    prior = Prior(cost, qaly, marks, spec.settings.severity_weight)
    found = []
    for design in wanted:
        shown = designs.chances(spec, psa.draws, design)
        delay = design.follow_up if costs.delay is None else costs.delay
        served = voi.population_of(spec.settings, delay)
        samples = tuple(
            _sample(prior, shown, n, served, costs.fixed + costs.per_patient * n)
            for n in sorted(set(sizes))
        )
        best = tuple(_best(samples, place) for place in range(len(marks)))
        found.append(
            DesignResult(design=design, delay=delay, served=served, samples=samples, best=best)
        )
    return EvsiResult(draws=len(cost), thresholds=marks, evpi=prior.evpi, designs=tuple(found))


class Prior:
    """Costs and QALYs of the draws ``(draw, strategy)``, the reference first, at thresholds."""

    def __init__(
        self, costs: FloatArray, qalys: FloatArray, thresholds: FloatArray, weight: float = 1.0
    ) -> None:
        self.costs, self.qalys = costs, qalys
        self.thresholds, self.weight = thresholds, weight
        self.evpi = ceac.evpi(costs, qalys, thresholds, weight)


def _sample(
    prior: Prior,
    shown: Sequence[designs.Chances],
    n: int,
    served: float | None,
    cost: float,
) -> Sample:
    rng = np.random.default_rng([_SEED, n])
    data = [designs.simulate(one, n, rng) for one in shown]
    value = by_regression(prior, shown, data)
    check, check_se, effective = by_weights(prior, shown, n, data)
    everyone = None if served is None else value.value * served
    return Sample(
        patients=n,
        evsi=value.value,
        se=np.hypot(value.se, value.draws_se),
        check=check,
        check_se=np.hypot(check_se, value.draws_se),
        effective=effective,
        explained=value.explained,
        population=everyone,
        cost=cost,
        net_benefit=None if everyone is None else everyone - cost,
    )


def by_regression(
    prior: Prior, shown: Sequence[designs.Chances], data: Sequence[FloatArray]
) -> voi.Worth:
    """Value of data sets ``(draw, group, category)``, one of each draw, by regression."""
    x = np.column_stack(
        [s for one, seen in zip(shown, data, strict=True) for s in designs.statistics(one, seen)]
    )
    return voi.worth_of(x, prior.costs, prior.qalys, prior.thresholds, prior.weight, prior.evpi)


def by_weights(
    prior: Prior,
    shown: Sequence[designs.Chances],
    n: int,
    data: Sequence[FloatArray],
    most: int = WEIGHED,
) -> tuple[FloatArray, FloatArray, float]:
    """Value of the data by weighting all other draws with their likelihood.

    At most ``most`` data sets, evenly over the draws, are weighed.

    Returns
    -------
    value, se : array ``(threshold,)``
        Mean and standard error over data sets of the net benefit gained by deciding after them;
        the error of the draws that are weighed is not in it.
    effective : float
        (Σw)²/Σw², the median over data sets.
    """
    draws = len(prior.costs)
    which = np.unique(np.linspace(0, draws - 1, min(draws, most)).round().astype(int))
    benefit = prior.thresholds[:, None, None] * prior.weight * prior.qalys - prior.costs
    best = benefit.mean(axis=1).argmax(axis=1)
    gains, effective = [], []
    for begin in range(0, len(which), BLOCK):
        rows = which[begin : begin + BLOCK]
        logs = np.zeros((len(rows), draws))
        for one, seen in zip(shown, data, strict=True):
            logs += designs.log_likelihood(one, n, seen[rows])
        # the draw that the data came from is left out: it would find itself
        logs[np.arange(len(rows)), rows] = -np.inf
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        known = np.einsum("dj,kjs->kds", weights, benefit, optimize=True)
        chosen = np.take_along_axis(known, best[:, None, None], axis=2)[:, :, 0]
        gains.append(known.max(axis=2) - chosen)
        effective.append(1.0 / (weights**2).sum(axis=1))
    gain = np.concatenate(gains, axis=1)
    error = gain.std(axis=1, ddof=1) / np.sqrt(gain.shape[1])
    return gain.mean(axis=1), error, float(np.median(np.concatenate(effective)))


def _best(samples: Sequence[Sample], place: int) -> int | None:
    worth = [
        (float(one.net_benefit[place]), one.patients)
        for one in samples
        if one.net_benefit is not None
    ]
    return max(worth)[1] if worth and max(worth)[0] > 0 else None
