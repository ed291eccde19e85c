"""Families as they are estimated: parameters on an unbounded scale, cure, groups.

Positive parameters are estimated as logarithms, a cured share as a logit, and the effect of a group
is added to the location parameter on its own scale. So a group acts on time for the Weibull,
log-logistic, log-normal and the generalised families, and on the hazard for the exponential,
Gompertz and hazard splines; for the gamma it acts on the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from heor.engine import survival_math as sm
from heor.engine.survival import CURVES
from heor.engine.survival_family import LANDMARKS, Family
from heor.engine.survival_flexible import Spline
from heor.fitting.data import SurvivalData
from heor.fitting.density import log_density
from heor.spec.parameters import FloatArray

#: The parameter that carries the effect of a group, by family.
LOCATION = {
    "exponential": "rate",
    "weibull": "scale",
    "gompertz": "rate",
    "gamma": "rate",
    "lognormal": "meanlog",
    "loglogistic": "scale",
    "gengamma": "mu",
    "genf": "mu",
    "spline": "gamma0",
}

#: Families that `heor fit --family all` tries, splines apart.
FITTED = tuple(name for name in LOCATION if name != "spline")

#: Kinds of cure model: a cured share, or a bounded cumulative hazard.
CURES = ("", "mixture", "non_mixture")

#: How parameters change when the time unit becomes u times as long: "log" ones gain ln u on their
#: estimation scale, the others are multiplied by u to the power given.
_TIME_SHIFT = {"rate": -1.0, "scale": 1.0}
_MEAN_SHIFT = ("meanlog", "mu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A family with its cure and groups.

    Attributes
    ----------
    family : Family
    knots : tuple of float
        Of a spline, on the scale of ln t; empty else.
    cure : str
        One of `CURES`.
    groups : tuple of str
        Reference first; one for a model without group effect.
    """

    family: Family
    knots: tuple[float, ...] = ()
    cure: str = ""
    groups: tuple[str, ...] = ("",)

    @property
    def own(self) -> tuple[str, ...]:
        """Parameters of the family that are estimated."""
        return self.family.parameters[: len(self.family.parameters) - len(self.knots)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all estimated numbers, in order."""
        cure = ("cure",) if self.cure else ()
        return (*self.own, *cure, *(f"group:{label}" for label in self.groups[1:]))

    @property
    def on_log_scale(self) -> tuple[bool, ...]:
        """Which of `names` are estimated as logarithms."""
        return tuple(name in self.family.positive for name in self.names)

    @property
    def location(self) -> str:
        """The parameter to which the effect of a group is added, on its estimation scale."""
        return LOCATION[self.family.name]

    @property
    def on_time_scale(self) -> tuple[str, ...]:
        """Those of `names` that are logarithms of a time on the estimation scale."""
        return (*_MEAN_SHIFT, *(("scale",) if self.location == "scale" else ()))

    @property
    def recipe(self) -> tuple[tuple[str, str], ...]:
        """The family's parameters as formulas of the estimated numbers, which stand in braces."""
        return tuple(
            (name, f"exp({{{name}}})" if name in self.family.positive else f"{{{name}}}")
            for name in self.own
        )

    def natural(self, theta: FloatArray) -> dict[str, float]:
        """Give the numbers on their natural scale; group effects stay on the estimation scale."""
        values = {}
        for name, value, log in zip(self.names, theta, self.on_log_scale, strict=True):
            values[name] = float(np.exp(value)) if log else float(value)
        if self.cure:
            values["cure"] = float(special.expit(values["cure"]))
        return values

    def parameters(self, theta: FloatArray, group: NDArray[np.intp]) -> list[FloatArray]:
        """Family parameters of subjects ``(subject,)`` whose groups are given by index."""
        location = self.location
        effects = np.concatenate(([0.0], theta[len(self.own) + bool(self.cure) :]))
        found = []
        for place, name in enumerate(self.own):
            value = theta[place]
            if name == location and len(effects) > 1:
                value = value + effects[group]
            found.append(np.exp(value) if name in self.family.positive else np.asarray(value))
        return [*found, *(np.asarray(knot) for knot in self.knots)]

    def log_survival(
        self, theta: FloatArray, time: FloatArray, group: NDArray[np.intp]
    ) -> FloatArray:
        """Give ln S ``(subject,)``, the cured included."""
        plain = self.family.log_survival(time, self.parameters(theta, group))
        if not self.cure:
            return plain
        share = special.expit(theta[len(self.own)])
        result: FloatArray
        if self.cure == "mixture":
            result = np.log(share + (1.0 - share) * np.exp(plain))
        else:
            result = -np.log(share) * np.expm1(plain)
        return result

    def log_density(
        self,
        theta: FloatArray,
        time: FloatArray,
        group: NDArray[np.intp],
        log_time: FloatArray | None = None,
    ) -> FloatArray:
        """Give the logarithm of the density ``(subject,)``; that of a cured share has none."""
        parameters = self.parameters(theta, group)
        at = np.log(time) if log_time is None else log_time
        plain = log_density(self.family, time, at, parameters)
        if not self.cure:
            return plain
        share = special.expit(theta[len(self.own)])
        if self.cure == "mixture":
            return np.asarray(np.log1p(-share) + plain)
        failed = -np.expm1(self.family.log_survival(time, parameters))
        return np.asarray(np.log(-np.log(share)) + plain + np.log(share) * failed)

    def log_hazard(
        self, theta: FloatArray, time: FloatArray, group: NDArray[np.intp]
    ) -> FloatArray:
        """Give the logarithm of the hazard ``(subject,)``."""
        return self.log_density(theta, time, group) - self.log_survival(theta, time, group)

    def quantile(self, theta: FloatArray, failed: float, group: NDArray[np.intp]) -> FloatArray:
        """Time by which a share has had the event ``(subject,)``; infinite where it never has."""
        parameters = self.parameters(theta, group)
        inner = failed
        if self.cure:
            share = float(special.expit(theta[len(self.own)]))
            mixture = self.cure == "mixture"
            inner = failed / (1.0 - share) if mixture else np.log1p(-failed) / np.log(share)
        if inner >= 1.0:
            return np.full(len(group), np.inf)
        found = self.family.quantile(inner, parameters)
        return np.broadcast_to(found, (len(group),))

    def restricted_mean(self, theta: FloatArray, end: float, group: NDArray[np.intp]) -> float:
        """Area under the curve of one subject from 0 to ``end``."""
        parameters = [np.ravel(value)[0] for value in self.parameters(theta, group)]
        if not self.cure:
            return float(self.family.restricted_mean(parameters, end))
        share = float(special.expit(theta[len(self.own)]))
        if self.cure == "mixture":
            plain = float(self.family.restricted_mean(parameters, end))
            return share * end + (1.0 - share) * plain
        level = np.log(share)
        return sm.area_under(
            lambda time: np.exp(-level * np.expm1(self.family.log_survival(time, parameters))),
            self.family.quantile(LANDMARKS, parameters),
            float(self.family.median(parameters)),
            end,
        )

    def log_likelihood(self, theta: FloatArray, data: SurvivalData) -> float:
        """Sum of the subjects' log likelihoods; -inf where the numbers make no curve."""
        return Likelihood(self, data)(theta)

    def to_unit(self, unit: float) -> tuple[FloatArray, FloatArray]:
        """Give A and b of θ = Aθ' + b, where θ' was fitted to times divided by ``unit``."""
        names = self.names
        matrix, shift = np.eye(len(names)), np.zeros(len(names))
        log_unit = float(np.log(unit))
        for place, name in enumerate(names):
            if self.family.name == "gompertz" and name == "shape":
                matrix[place, place] = 1.0 / unit
            elif self.on_log_scale[place]:
                shift[place] = _TIME_SHIFT.get(name, 0.0) * log_unit
            elif name in _MEAN_SHIFT:
                shift[place] = log_unit
            elif self.family.name == "spline" and name == "gamma0":
                matrix[place, names.index("gamma1")] = -log_unit
        return matrix, shift

    def in_unit(self, unit: float) -> Model:
        """Give the model of times that were divided by ``unit``: knots move."""
        moved = tuple(knot - float(np.log(unit)) for knot in self.knots)
        return Model(family=self.family, knots=moved, cure=self.cure, groups=self.groups)


class Likelihood:
    """The log likelihood of a model and data as a function of the numbers to estimate.

    Subjects are sorted once into events seen, those whose survival counts (the censored, and with
    the opposite sign everybody at a delayed entry), and events in an interval.
    """

    def __init__(self, model: Model, data: SurvivalData) -> None:
        self._model = model
        seen, open_end, late = data.exact, np.isinf(data.upper), data.entry > 0
        between = ~seen & ~open_end
        self._seen = data.lower[seen], data.group[seen], np.log(data.lower[seen])
        self._seen_weight, self._expected = data.weight[seen], data.expected[seen]
        self._excess = bool(self._expected.any())
        self._alive = (
            np.concatenate([data.lower[open_end], data.entry[late]]),
            np.concatenate([data.group[open_end], data.group[late]]),
        )
        self._alive_weight = np.concatenate([data.weight[open_end], -data.weight[late]])
        self._start = data.lower[between], data.group[between]
        self._end = data.upper[between], data.group[between]
        self._between_weight = data.weight[between]

    def __call__(self, theta: FloatArray) -> float:
        """Sum of the subjects' log likelihoods; -inf where the numbers make no curve."""
        with np.errstate(all="ignore"):
            total = self._sum(theta)
        return total if np.isfinite(total) else -np.inf

    def _sum(self, theta: FloatArray) -> float:
        model, total = self._model, 0.0
        if len(self._seen_weight):
            time, group, log_time = self._seen
            each = model.log_density(theta, time, group, log_time)
            if self._excess:
                alive = model.log_survival(theta, time, group)
                each = alive + np.log(self._expected + np.exp(each - alive))
            total += float(self._seen_weight @ each)
        if len(self._alive_weight):
            total += float(self._alive_weight @ model.log_survival(theta, *self._alive))
        if len(self._between_weight):
            start = model.log_survival(theta, *self._start)
            end = model.log_survival(theta, *self._end)
            each = start + np.log(-np.expm1(end - start))
            total += float(self._between_weight @ each)
        return total


def spline_knots(data: SurvivalData, inner: int) -> tuple[float, ...]:
    """Knots on the scale of ln t: the first and last event and quantiles between them.

    An event in an interval counts at its middle, and each as many times as its weight.

    Raises
    ------
    ValueError
        When there are too few distinct event times.
    """
    seen = np.isfinite(data.upper)
    upper = data.upper[seen]
    times = np.where(data.exact[seen], upper, (data.lower[seen] + upper) / 2)
    order = np.argsort(times)
    times, reached = np.log(times[order]), np.cumsum(data.weight[seen][order])
    shares = np.arange(inner + 2) / (inner + 1)
    place = shares * max(float(reached[-1]) - 1.0, 0.0)
    last = len(times) - 1
    below = np.minimum(np.searchsorted(reached, np.floor(place), side="right"), last)
    above = np.minimum(np.searchsorted(reached, np.floor(place) + 1.0, side="right"), last)
    part = place - np.floor(place)
    knots = tuple(map(float, times[below] + part * (times[above] - times[below])))
    if any(b - a < 1e-8 for a, b in pairwise(knots)):
        raise ValueError("too few distinct event times for the knots")
    return knots


def make_model(
    name: str,
    *,
    data: SurvivalData,
    cure: str = "",
    together: bool = False,
    scale: str = "hazard",
    inner: int = 1,
    knots: Sequence[float] = (),
) -> Model:
    """Give the model of a family name for some data.

    Parameters
    ----------
    name : str
        A key of `LOCATION`.
    data : SurvivalData
        For the knots of a spline.
    cure : str
        One of `CURES`.
    together : bool
        One model for all groups, with an effect on the location, instead of the only group.
    scale, inner : str, int
        Of a spline: its scale and its number of inner knots.
    knots : sequence of float, optional
        Of a spline, on the scale of ln t, the two at the ends included; else quantiles of ``data``.
    """
    groups: Sequence[str] = data.groups if together else data.groups[:1]
    if name == "spline":
        placed = tuple(knots) or spline_knots(data, inner)
        family: Family = Spline(scale, len(placed))
        return Model(family=family, knots=placed, cure=cure, groups=tuple(groups))
    return Model(family=CURVES[name], cure=cure, groups=tuple(groups))
