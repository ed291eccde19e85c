"""Cox regression, and the test of proportional hazards of Grambsch and Therneau (methods 2.11)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from heor.errors import HeorError
from heor.fitting.data import SurvivalData, kaplan_meier, last_seen
from heor.fitting.nonparametric import Z95
from heor.spec.parameters import FloatArray

#: Transformations of time against which hazard ratios are tried.
TRANSFORMS = ("identity", "log", "km", "rank")

#: Newton steps, and the gain of the log likelihood below which they end.
_STEPS, _ENOUGH = 50, 1e-11

#: A standard error of a log hazard ratio, per standard deviation, above which it has run away.
_FAR = 100.0

#: Numbers of the natural spline through scaled residuals, and points at which it is given.
_SMOOTH, _POINTS = 4, 61


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """A Cox model with Efron's ties.

    Attributes
    ----------
    coefficients : array ``(covariate,)``
        Log hazard ratios.
    covariance : array ``(covariate, covariate)``
    log_likelihood : float
        Partial.
    time : array ``(event,)``
        Times of the events, rising.
    residuals : array ``(event, covariate)``
        Schoenfeld's.
    variance : array ``(event, covariate, covariate)``
        Of the covariates in the risk set at each event; they add up to the information.
    """

    coefficients: FloatArray
    covariance: FloatArray
    log_likelihood: float
    time: FloatArray
    residuals: FloatArray
    variance: FloatArray

    @property
    def scaled_residuals(self) -> FloatArray:
        """Estimates of each log hazard ratio at each event (Grambsch & Therneau 1994)."""
        found: FloatArray = self.coefficients + len(self.time) * self.residuals @ self.covariance
        return found


class _RiskSets:
    """Subjects by time, so that sums over those at risk are differences of running sums."""

    def __init__(
        self, entry: FloatArray, leave: FloatArray, event: NDArray[np.bool_], x: FloatArray
    ) -> None:
        order = np.argsort(leave[event], kind="stable")
        self.time, self.x_event = leave[event][order], x[event][order]
        self.x = x
        _, first, self.place, size = np.unique(
            self.time, return_index=True, return_inverse=True, return_counts=True
        )
        #: Share of the tied events that count as gone already (Efron).
        self.gone = (np.arange(len(self.time)) - first[self.place]) / size[self.place]
        at = self.time[first]
        self._first = first
        self._by_leave, self._by_entry = np.argsort(leave), np.argsort(entry)
        self._left = np.searchsorted(leave[self._by_leave], at)
        self._late = np.searchsorted(entry[self._by_entry], at)

    def sums(self, values: FloatArray, of_events: FloatArray) -> FloatArray:
        """Sum over those at risk at each event, less Efron's share of the tied events."""
        total = values.sum(axis=0)
        left = _running(values[self._by_leave])[self._left]
        late = total - _running(values[self._by_entry])[self._late]
        tied = np.add.reduceat(of_events, self._first, axis=0)
        at_risk = (total - left - late)[self.place]
        gone = self.gone.reshape(-1, *([1] * (values.ndim - 1)))
        return np.asarray(at_risk - gone * tied[self.place])


def _running(values: FloatArray) -> FloatArray:
    zero = np.zeros((1, *values.shape[1:]))
    return np.concatenate([zero, np.cumsum(values, axis=0)])


def cox(data: SurvivalData, covariates: FloatArray) -> CoxFit:
    """Fit a Cox model by Newton's method, with Efron's treatment of ties.

    Parameters
    ----------
    data : SurvivalData
        An event in an interval counts at its middle; weights are whole numbers of people.
    covariates : array ``(subject, covariate)``

    Raises
    ------
    HeorError
        When weights are not whole, or a hazard ratio runs away.
    """
    if (data.weight != np.round(data.weight)).any():
        raise HeorError("Cox regression takes whole numbers of people, and the weights are not")
    people = np.repeat(np.arange(len(data)), data.weight.astype(int))
    x = covariates[people] - covariates[people].mean(axis=0)
    event = np.isfinite(data.upper)[people]
    sets = _RiskSets(data.entry[people], last_seen(data)[people], event, x)
    beta = np.zeros(x.shape[1])
    value, slope, parts, means = _partial(sets, beta)
    for _ in range(_STEPS):
        try:
            move = np.linalg.solve(parts.sum(axis=0), slope)
        except np.linalg.LinAlgError as error:
            raise HeorError("Cox regression: the covariates do not differ among events") from error
        while True:
            ahead = _partial(sets, beta + move)
            if ahead[0] >= value - 1e-10 * (1 + abs(value)):
                break
            move = move / 2
        beta, gain = beta + move, ahead[0] - value
        value, slope, parts, means = ahead
        if gain < _ENOUGH:
            break
    covariance = np.linalg.inv(parts.sum(axis=0))
    if (np.sqrt(np.diag(covariance)) * x.std(axis=0) > _FAR).any():
        raise HeorError("Cox regression: a hazard ratio has no finite estimate")
    residuals = sets.x_event - _tied_means(sets, means)
    return CoxFit(
        coefficients=beta,
        covariance=covariance,
        log_likelihood=value,
        time=sets.time,
        residuals=residuals,
        variance=parts,
    )


def _partial(sets: _RiskSets, beta: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Log partial likelihood, its slope, and variance and mean of the covariates by event."""
    with np.errstate(over="ignore"):
        risk, of_events = np.exp(sets.x @ beta), np.exp(sets.x_event @ beta)
    none = sets.sums(risk, of_events)
    once = sets.sums(risk[:, None] * sets.x, of_events[:, None] * sets.x_event)
    squares = sets.x[:, :, None] * sets.x[:, None, :]
    of_squares = sets.x_event[:, :, None] * sets.x_event[:, None, :]
    twice = sets.sums(risk[:, None, None] * squares, of_events[:, None, None] * of_squares)
    mean = once / none[:, None]
    variance = twice / none[:, None, None] - mean[:, :, None] * mean[:, None, :]
    value = float((sets.x_event @ beta).sum() - np.log(none).sum())
    return value, (sets.x_event - mean).sum(axis=0), variance, mean


def _tied_means(sets: _RiskSets, means: FloatArray) -> FloatArray:
    """Mean of the covariates at each event, the same for tied ones."""
    count = np.bincount(sets.place)
    total = np.zeros((len(count), means.shape[1]))
    np.add.at(total, sets.place, means)
    return (total / count[:, None])[sets.place]


# --- the test ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTest:
    """A chi-squared test."""

    statistic: float
    degrees: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalityTest:
    """The test of constant log hazard ratios against a trend in a transformation of time.

    Attributes
    ----------
    transform : str
        One of `TRANSFORMS`.
    each : tuple of ScoreTest
        By covariate.
    together : ScoreTest
        Of all covariates.
    """

    transform: str
    each: tuple[ScoreTest, ...]
    together: ScoreTest


def time_transform(name: str, data: SurvivalData, time: FloatArray) -> FloatArray:
    """Times of events transformed: t, ln t, 1 - S(t-) of all subjects, or ranks."""
    if name == "identity":
        return time
    if name == "log":
        return np.log(time)
    if name == "rank":
        ranks: FloatArray = stats.rankdata(time)
        return ranks
    at, survival = kaplan_meier(data)
    return 1.0 - np.append(1.0, survival)[np.searchsorted(at, time, side="left")]


def proportionality_test(fit: CoxFit, data: SurvivalData, transform: str) -> ProportionalityTest:
    """Score test for a trend of log hazard ratios in a transformation g of time.

    It is that of the covariates multiplied by g(t), added to the model: Grambsch & Therneau 1994
    without their approximation that the risk sets' variance does not change.

    Parameters
    ----------
    fit : CoxFit
    data : SurvivalData
        All groups, for the transformation ``km``.
    transform : str
        One of `TRANSFORMS`.
    """
    trend = time_transform(transform, data, fit.time)
    trend = trend - trend.mean()
    score = trend @ fit.residuals
    between = np.einsum("e,eij->ij", trend, fit.variance)
    own = np.einsum("e,eij->ij", trend**2, fit.variance)
    left = own - between @ fit.covariance @ between
    each = tuple(_score_test(float(score[j] ** 2 / left[j, j]), 1) for j in range(len(score)))
    everything = float(score @ np.linalg.solve(left, score))
    together = _score_test(everything, len(score))
    return ProportionalityTest(transform=transform, each=each, together=together)


def _score_test(statistic: float, degrees: int) -> ScoreTest:
    p = float(special.chdtrc(degrees, statistic))
    return ScoreTest(statistic=statistic, degrees=degrees, p=p)


# --- what the residuals show ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """A log hazard ratio over time, with its 95% band; arrays ``(point,)``."""

    time: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray


def smoothed_residuals(fit: CoxFit, covariate: int = 0) -> Smooth | None:
    """Natural cubic spline through scaled residuals, knots at quantiles of the event times.

    Its band takes the residuals' variance to be the number of events times that of the log hazard
    ratio (Therneau & Grambsch 2000, 6.2). None where events have too few distinct times for it.
    """
    y = fit.scaled_residuals[:, covariate]
    knots = np.unique(np.quantile(fit.time, np.linspace(0, 1, _SMOOTH)))
    if len(knots) < _SMOOTH:
        return None
    at = np.linspace(knots[0], knots[-1], _POINTS)
    basis, shown = _natural(fit.time, knots), _natural(at, knots)
    inverse = np.linalg.inv(basis.T @ basis)
    value = shown @ (inverse @ (basis.T @ y))
    spread = np.einsum("ij,jk,ik->i", shown, inverse, shown)
    spread = spread * len(y) * float(fit.covariance[covariate, covariate])
    half = Z95 * np.sqrt(np.maximum(spread, 0.0))
    return Smooth(time=at, value=value, low=value - half, high=value + half)


def _natural(x: FloatArray, knots: FloatArray) -> FloatArray:
    """Basis of natural cubic splines ``(point, knot)``: straight beyond the knots."""
    u = (x - knots[0]) / (knots[-1] - knots[0])
    k = (knots - knots[0]) / (knots[-1] - knots[0])

    def bend(place: int) -> FloatArray:
        ends = np.maximum(u - k[place], 0.0) ** 3 - np.maximum(u - k[-1], 0.0) ** 3
        return np.asarray(ends / (k[-1] - k[place]))

    last = bend(len(k) - 2)
    columns = [np.ones(len(u)), u, *(bend(place) - last for place in range(len(k) - 2))]
    return np.column_stack(columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportionality:
    """Groups against the reference under proportional hazards, and whether those hold.

    Attributes
    ----------
    reference : str
    groups : tuple of str
        The others, in the order of the covariates.
    fit : CoxFit
    tests : tuple of ProportionalityTest
        By transformation of time.
    smooths : tuple of Smooth or None
        By group.
    """

    reference: str
    groups: tuple[str, ...]
    fit: CoxFit
    tests: tuple[ProportionalityTest, ...]
    smooths: tuple[Smooth | None, ...]

    def hazard_ratio(self, place: int) -> tuple[float, float, float]:
        """Hazard ratio of a group against the reference, with its 95% interval."""
        value = float(self.fit.coefficients[place])
        half = Z95 * float(np.sqrt(self.fit.covariance[place, place]))
        return float(np.exp(value)), float(np.exp(value - half)), float(np.exp(value + half))


def proportionality(data: SurvivalData) -> Proportionality:
    """Compare the groups of some data, the first as the reference.

    Raises
    ------
    HeorError
        As `cox` does.
    """
    indicators = data.group[:, None] == np.arange(1, len(data.groups))
    fit = cox(data, indicators.astype(float))
    return Proportionality(
        reference=data.groups[0],
        groups=data.groups[1:],
        fit=fit,
        tests=tuple(proportionality_test(fit, data, name) for name in TRANSFORMS),
        smooths=tuple(smoothed_residuals(fit, place) for place in range(len(data.groups) - 1)),
    )
