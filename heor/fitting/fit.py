"""Maximum-likelihood fits of survival families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from heor.engine.survival import CURVES
from heor.errors import HeorError
from heor.fitting.data import SurvivalData, kaplan_meier
from heor.fitting.maximise import Maximum, climb, maximise, polish
from heor.fitting.models import Likelihood, Model, make_model
from heor.spec.parameters import FloatArray

#: Place of ln P of a generalised F, its starts, one near the edge P = 0, and where P counts as 0.
_P_PLACE, _LOG_P_STARTS, _LOG_P_NEAR, _LOG_P_EDGE = 3, (-2.0, -0.5), -7.0, -20.0

#: A gain of the log likelihood below this does not speak for one more parameter.
_NO_BETTER = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fitted model.

    Attributes
    ----------
    model : Model
    theta : array ``(parameter,)``
        Estimates on the estimation scale (logarithms of positive parameters, logit of a cure).
    covariance : array ``(parameter, parameter)``
        On the same scale; NaN where the optimum is not sound.
    log_likelihood : float
    subjects, events : float
    sound : bool
        The gradient vanishes and the Hessian is negative definite.
    step : float
        Newton step that remains, in standard errors.
    limit : str
        Name of the simpler family that this one has become, at the edge of its parameters.
    """

    model: Model
    theta: FloatArray
    covariance: FloatArray
    log_likelihood: float
    subjects: float
    events: float
    sound: bool
    step: float
    limit: str = ""

    @property
    def estimates(self) -> dict[str, float]:
        """Estimates on the natural scale, knots not among them."""
        return self.model.natural(self.theta)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return 2 * len(self.theta) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian criterion with the number of subjects."""
        return float(len(self.theta) * np.log(self.subjects) - 2 * self.log_likelihood)

    @property
    def bic_events(self) -> float:
        """Bayesian criterion with the number of events (Volinsky & Raftery 2000)."""
        return float(len(self.theta) * np.log(self.events) - 2 * self.log_likelihood)

    def survival(self, time: FloatArray, group: str | None = None) -> FloatArray:
        """Survival at each time, of the reference group unless another is named."""
        return np.exp(self.model.log_survival(self.theta, *self._places(time, group)))

    def hazard(self, time: FloatArray, group: str | None = None) -> FloatArray:
        """Hazard at each time above 0, of the reference group unless another is named."""
        with np.errstate(all="ignore"):
            return np.exp(self.model.log_hazard(self.theta, *self._places(time, group)))

    def _places(self, time: FloatArray, group: str | None) -> tuple[FloatArray, NDArray[np.intp]]:
        label = self.model.groups[0] if group is None else group
        place = np.full(len(time), self.model.groups.index(label), dtype=np.intp)
        return np.asarray(time, dtype=float), place


def fit(
    name: str,
    data: SurvivalData,
    *,
    cure: str = "",
    together: bool = False,
    scale: str = "hazard",
    inner: int = 1,
    knots: Sequence[float] = (),
) -> Fit:
    """Fit one family by maximum likelihood.

    Times are divided by their typical size first and the result brought back, so the time unit
    does not matter.

    Parameters
    ----------
    name : str
        Family, see `heor.fitting.models.LOCATION`.
    data : SurvivalData
    cure, together, scale, inner, knots
        See `heor.fitting.models.make_model`.

    Returns
    -------
    Fit

    Raises
    ------
    HeorError
        When the data cannot tell: no event, fewer events than parameters.
    """
    if data.events <= 0:
        raise HeorError("no events: every subject is censored, so no curve can be fitted")
    seen = data.lower[np.isfinite(data.upper) & (data.lower > 0)]
    typical = np.median(seen) if len(seen) else np.median(data.upper[np.isfinite(data.upper)])
    unit = float(typical)
    try:
        model = make_model(
            name, data=data, cure=cure, together=together, scale=scale, inner=inner, knots=knots
        )
    except ValueError as error:
        raise HeorError(f"{name}: {error}") from error
    if data.events < len(model.names):
        raise HeorError(
            f"{name}: {len(model.names)} numbers to fit need as many events; found {data.events:g}"
        )
    scaled, inside = data.distinct().scaled(unit), model.in_unit(unit)
    found, limit = _maximum(inside, scaled, name)
    matrix, shift = model.to_unit(unit)
    exact = float(data.weight[data.exact].sum())
    return Fit(
        model=model,
        theta=matrix @ found.theta + shift,
        covariance=matrix @ found.covariance @ matrix.T,
        log_likelihood=found.value - exact * float(np.log(unit)),
        subjects=data.subjects,
        events=data.events,
        sound=found.sound,
        step=found.step,
        limit=limit,
    )


def _maximum(model: Model, data: SurvivalData, name: str) -> tuple[Maximum, str]:
    """Maximise; a generalised F goes from the generalised gamma, which it may turn out to be."""
    try:
        if name != "genf":
            return _highest(model, data, _starts(model, data)), ""
        simpler = replace(model, family=CURVES["gengamma"])
        inner = _highest(simpler, data, _starts(simpler, data))
        starts = [np.insert(inner.theta, _P_PLACE, log_p) for log_p in _LOG_P_STARTS]
        likelihood = Likelihood(model, data)
        theta, value = climb(likelihood, [*starts, *_starts(model, data)], data.events)
        near_edge = likelihood(np.insert(inner.theta, _P_PLACE, _LOG_P_NEAR))
        if value > inner.value + _NO_BETTER or near_edge > inner.value:
            return polish(likelihood, theta), ""
    except ValueError as error:
        raise HeorError(f"{name}: {error}") from error
    theta = np.insert(inner.theta, _P_PLACE, _LOG_P_EDGE)
    unknown = np.full((len(theta), len(theta)), np.nan)
    edge = Maximum(theta=theta, value=inner.value, covariance=unknown, step=np.inf, sound=False)
    return edge, "gengamma"


def _highest(model: Model, data: SurvivalData, starts: Sequence[FloatArray]) -> Maximum:
    return maximise(Likelihood(model, data), starts, data.events)


def _starts(model: Model, data: SurvivalData) -> list[FloatArray]:
    """Starting points on the estimation scale, in units in which times are about 1."""
    tail: list[float] = [0.0] * (len(model.groups) - 1)
    cures = [special.logit(share) for share in _cure_shares(data)] if model.cure else [None]
    starts = []
    for own in _own_starts(model, data):
        for cured in cures:
            starts.append(np.array([*own, *([] if cured is None else [cured]), *tail]))
    return starts


def _cure_shares(data: SurvivalData) -> tuple[float, ...]:
    _, survival = kaplan_meier(data)
    end = float(np.clip(survival[-1], 0.02, 0.9))
    return (end, 0.5 * end)


def _own_starts(model: Model, data: SurvivalData) -> Sequence[Sequence[float]]:
    finite = np.isfinite(data.upper)
    last = np.where(finite, (data.lower + np.where(finite, data.upper, 0.0)) / 2, data.lower)
    exposure = float((data.weight * np.maximum(last - data.entry, 0.0)).sum())
    rate = float(np.log(data.events / exposure))
    middle = np.log(np.maximum(last[finite], 1e-6))
    weight = data.weight[finite]
    mean = float(np.average(middle, weights=weight))
    sd = float(np.sqrt(np.average((middle - mean) ** 2, weights=weight)))
    spread = float(np.log(max(sd, 0.1)))
    name = model.family.name
    if name == "exponential":
        return [[rate]]
    if name in ("weibull", "loglogistic"):
        return [[0.0, -rate], [-spread, mean]]
    if name == "gompertz":
        return [[0.01, rate], [0.5, rate], [-0.5, rate]]
    if name == "lognormal":
        return [[mean, spread], [-rate, 0.0]]
    if name == "gamma":
        return [[0.0, rate], [0.7, rate + 0.7]]
    if name == "gengamma":
        return [[mean, spread, 0.1], [-rate, 0.0, 1.0], [-rate, 0.0, -0.5]]
    if name == "genf":
        return [[-rate, -0.3, 0.8, -1.0], [mean, spread, -0.5, 0.0]]
    return _spline_starts(model, data)


def _spline_starts(model: Model, data: SurvivalData) -> Sequence[Sequence[float]]:
    """Least squares of the spline on the Kaplan-Meier estimate, and a straight line."""
    times, survival = kaplan_meier(data)
    kept = (survival < 1) & (survival > 0) & (times > 0)
    x, alive = np.log(times[kept]), survival[kept]
    family = model.family
    scale = getattr(family, "scale", "hazard")
    if scale == "hazard":
        goal = np.log(-np.log(alive))
    elif scale == "odds":
        goal = np.log1p(-alive) - np.log(alive)
    else:
        goal = -special.ndtri(alive)
    inner = len(model.own) - 2
    columns = [np.ones(len(x)), x]
    for place in range(inner):
        gammas = [0.0] * (inner + 2)
        gammas[place + 2] = 1.0
        columns.append(family.linear(x, [*gammas, *model.knots]))  # type: ignore[attr-defined]
    bent, *_ = np.linalg.lstsq(np.column_stack(columns), goal, rcond=None)
    line, *_ = np.linalg.lstsq(np.column_stack(columns[:2]), goal, rcond=None)
    straight = [float(line[0]), max(float(line[1]), 0.1), *([0.0] * inner)]
    return [[float(value) for value in bent], straight]
