"""Candidates side by side: what each fitted family says beyond the data, and how well it fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from heor.errors import HeorError
from heor.fitting.data import SurvivalData, kaplan_meier
from heor.fitting.fit import Fit, fit
from heor.fitting.hazard_shape import hazard_words
from heor.fitting.maximise import slope
from heor.fitting.models import Model
from heor.fitting.nonparametric import Z95
from heor.fitting.targets import Target, of_group
from heor.spec.parameters import FloatArray

#: Years at which survival is shown.
LANDMARKS = (1, 2, 5, 10, 15, 20)

#: Events per parameter below which intervals are rough.
FEW_EVENTS = 10

#: Survival at which a curve counts as closed, so that its mean is known, and the years until then.
_CLOSED, _FAR = 1e-6, 200.0


#: A cured share below this, where there is no maximum, is none.
_NOBODY = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its 95% interval; NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReached:
    """What a curve gives for a number from elsewhere; ``met`` None where it has no interval."""

    target: Target
    survival: float
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One family in one group.

    Attributes
    ----------
    family, form : str
        Key of the family, and its cure and knots in words, blank for none.
    fit : Fit or None
        None where nothing could be fitted; ``problem`` then says why.
    problem : str
        What is wrong with the fit, in words; blank for nothing.
    weight : float
        Share of the AIC weights of the group.
    parameters : mapping of str to Interval
        On the natural scale; group effects on the estimation scale.
    median : float
        In the time unit; infinite where the curve stays above one half.
    survival : tuple of Interval
        At `LANDMARKS`.
    rmst : Interval
        Restricted mean up to the horizon, in the time unit.
    mean : float
        NaN where the curve does not close within 200 years.
    hazard : str
        Its shape in words, from the first event to the horizon.
    targets : tuple of TargetReached
        In the order of `Comparison.targets`.
    """

    family: str
    form: str
    fit: Fit | None
    problem: str
    weight: float
    parameters: dict[str, Interval]
    median: float
    survival: tuple[Interval, ...]
    rmst: Interval
    mean: float
    hazard: str
    targets: tuple[TargetReached, ...] = ()

    @property
    def label(self) -> str:
        """Family and form."""
        return f"{self.family}, {self.form}" if self.form else self.family

    @property
    def usable(self) -> bool:
        """Whether it has a curve worth drawing: a maximum, or that of a simpler family."""
        return self.fit is not None and (self.fit.sound or bool(self.fit.limit))

    def met(self, wanted: bool) -> int:
        """How many targets with an interval are met, or missed."""
        return sum(one.met is wanted for one in self.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The candidates of one group beside what was seen.

    Attributes
    ----------
    group : str
        Label; blank where the data have no groups.
    together : bool
        One model for all groups.
    subjects, events, last : float
        Of the group; ``last`` is the longest follow-up.
    median : float
        Kaplan-Meier; NaN where it is not reached.
    survival : tuple of float
        Kaplan-Meier at `LANDMARKS`; NaN beyond follow-up.
    candidates : tuple of Candidate
    notes : tuple of str
        Sentences worth a look.
    targets : tuple of Target
        Of the group, by time.
    """

    group: str
    together: bool
    subjects: float
    events: float
    last: float
    median: float
    survival: tuple[float, ...]
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    targets: tuple[Target, ...] = ()

    @property
    def best(self) -> Candidate | None:
        """Sound fit with the lowest AIC."""
        sound = [one for one in self.candidates if one.fit is not None and one.fit.sound]
        return max(sound, key=lambda one: one.weight, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be fitted.

    Attributes
    ----------
    family, cure, scale, inner
        See `heor.fitting.models.make_model`.
    """

    family: str
    cure: str = ""
    scale: str = "hazard"
    inner: int = 1

    @property
    def form(self) -> str:
        """Cure and knots in words."""
        parts = []
        if self.family == "spline":
            knots = "1 knot" if self.inner == 1 else f"{self.inner} knots"
            parts.append(f"{self.scale}, {knots}")
        if self.cure:
            parts.append(f"{self.cure.replace('_', '-')} cure")
        return ", ".join(parts)


def compare(
    data: SurvivalData,
    requests: Sequence[Request],
    *,
    together: bool,
    per_year: float,
    horizon: float,
    targets: Sequence[Target] = (),
) -> tuple[Comparison, ...]:
    """Fit every request to every group, or to all groups in one model.

    Parameters
    ----------
    data : SurvivalData
    requests : sequence of Request
    together : bool
        One model with an effect of the group on the location parameter.
    per_year : float
        Time units in a year.
    horizon : float
        In years; for restricted means and shapes.
    targets : sequence of Target
        What the curves should meet.

    Raises
    ------
    HeorError
        When a group has no event, or nothing can be fitted anywhere.
    """
    groups = data.groups
    empty = [group for group in groups if data.of(group).events <= 0]
    if empty:
        named = ", ".join(f"`{group}`" for group in empty if group)
        where = f" in {named}" if named else ""
        raise HeorError(f"no events{where}: every subject is censored, so no curve can be fitted")
    if together:
        fits = [_tried(request, data, together=True) for request in requests]
        found = [(group, fits) for group in groups]
    else:
        found = []
        for group in groups:
            own = data.of(group)
            found.append((group, [_tried(request, own, together=False) for request in requests]))
    if not any(isinstance(one, Fit) for _, fits in found for one in fits):
        raise HeorError("; ".join(dict.fromkeys(str(one) for _, fits in found for one in fits)))
    return tuple(
        _with_targets(
            _comparison(data.of(group), requests, fits, together, per_year, horizon),
            of_group(targets, group),
        )
        for group, fits in found
    )


def _tried(request: Request, data: SurvivalData, *, together: bool) -> Fit | str:
    try:
        return fit(
            request.family,
            data,
            cure=request.cure,
            together=together,
            scale=request.scale,
            inner=request.inner,
        )
    except HeorError as error:
        return str(error)


def aic_weights(fits: Sequence[Fit | str]) -> list[float]:
    """Share of each fit in exp(-AIC/2); those without a sound optimum have none."""
    aics = [one.aic if isinstance(one, Fit) and one.sound else np.inf for one in fits]
    least = min(aics)
    if not np.isfinite(least):
        return [np.nan] * len(aics)
    shares = np.exp(-0.5 * (np.array(aics) - least))
    return [float(share) for share in shares / shares.sum()]


def _comparison(
    data: SurvivalData,
    requests: Sequence[Request],
    fits: Sequence[Fit | str],
    together: bool,
    per_year: float,
    horizon: float,
) -> Comparison:
    group = data.groups[0]
    finite = np.isfinite(data.upper)
    times, survival = kaplan_meier(data)
    last = float(np.where(finite, np.where(finite, data.upper, 0.0), data.lower).max())
    below = np.flatnonzero(survival <= 0.5 + 1e-12)
    seen = []
    for years in LANDMARKS:
        place = int(np.searchsorted(times, years * per_year, side="right"))
        inside = years * per_year <= last
        seen.append(float(np.append(1.0, survival)[place]) if inside else float("nan"))
    weights = aic_weights(fits)
    first = float(times[0])
    candidates = tuple(
        _candidate(request, one, weight, group, first, per_year, horizon)
        for request, one, weight in zip(requests, fits, weights, strict=True)
    )
    return Comparison(
        group=group,
        together=together,
        subjects=data.subjects,
        events=data.events,
        last=last,
        median=float(times[below[0]]) if len(below) else float("nan"),
        survival=tuple(seen),
        candidates=candidates,
        notes=tuple(_notes(data, candidates)),
    )


def _with_targets(found: Comparison, targets: tuple[Target, ...]) -> Comparison:
    times = np.array([one.time for one in targets])
    candidates = []
    for one in found.candidates:
        if one.fit is not None and one.usable:
            shares = one.fit.survival(times, found.group).tolist()
            reached = tuple(
                TargetReached(target=target, survival=share, met=target.met(share))
                for target, share in zip(targets, shares, strict=True)
            )
            candidates.append(replace(one, targets=reached))
        else:
            candidates.append(one)
    return replace(found, candidates=tuple(candidates), targets=targets)


def _notes(data: SurvivalData, candidates: Sequence[Candidate]) -> list[str]:
    notes = []
    # of all groups, where they have one model
    events = max((one.fit.events for one in candidates if one.fit), default=data.events)
    many = [
        one.label
        for one in candidates
        if one.fit is not None and events < FEW_EVENTS * len(one.fit.theta)
    ]
    if many:
        named = "every family" if len(many) == len(candidates) else ", ".join(many)
        notes.append(
            f"fewer than {FEW_EVENTS} events for each number fitted ({named}; found "
            f"{events:g}): intervals are rough."
        )
    by_problem: dict[str, list[str]] = {}
    for one in candidates:
        if one.problem:
            by_problem.setdefault(one.problem, []).append(one.label)
    return notes + [f"{', '.join(names)}: {words}." for words, names in by_problem.items()]


def _candidate(
    request: Request,
    one: Fit | str,
    weight: float,
    group: str,
    first: float,
    per_year: float,
    horizon: float,
) -> Candidate:
    unknown = Interval(value=np.nan, low=np.nan, high=np.nan)
    if isinstance(one, str):
        return Candidate(
            family=request.family,
            form=request.form,
            fit=None,
            problem=one.removeprefix(f"{request.family}: "),
            weight=0.0,
            parameters={},
            median=np.nan,
            survival=(unknown,) * len(LANDMARKS),
            rmst=unknown,
            mean=np.nan,
            hazard="",
        )
    place = one.model.groups.index(group)
    end = horizon * per_year
    curve = _Curve(one, place)
    return Candidate(
        family=request.family,
        form=request.form,
        fit=one,
        problem=_problem(one),
        weight=weight,
        parameters=intervals(one.model, one.theta, one.covariance),
        median=curve.quantile(0.5),
        survival=tuple(curve.survival(years * per_year) for years in LANDMARKS),
        rmst=curve.rmst(end),
        mean=curve.mean(per_year),
        hazard=hazard_words(curve.hazard, first, end) if one.sound or one.limit else "",
    )


def _problem(one: Fit) -> str:
    if one.sound:
        return ""
    if one.limit:
        return f"at its best it is the {one.limit}, so it adds nothing to it"
    if one.estimates.get("cure", 1.0) < _NOBODY:
        return "at its best nobody is cured, so it adds nothing to the plain family"
    if not np.isfinite(one.covariance).all():
        return (
            "no maximum inside its range: the likelihood still rises, or is flat, where the search "
            "ended, so there are no intervals; do not use it"
        )
    return f"the search ended {one.step:.2g} standard errors from the maximum; do not use it"


def intervals(
    model: Model, theta: FloatArray, covariance: FloatArray | None
) -> dict[str, Interval]:
    """Numbers on the natural scale with 95% intervals made on the estimation scale."""
    errors = np.full(len(theta), np.nan)
    if covariance is not None:
        errors = np.sqrt(np.diag(covariance))
    middle = model.natural(theta)
    low = model.natural(theta - Z95 * errors)
    high = model.natural(theta + Z95 * errors)
    return {n: Interval(value=middle[n], low=low[n], high=high[n]) for n in middle}


class _Curve:
    """One group's curve of a fit."""

    def __init__(self, one: Fit, place: int) -> None:
        self._fit, self._place = one, np.array([place])
        self._axes = None
        if one.sound:
            values, turn = np.linalg.eigh(one.covariance)
            self._axes = turn * np.sqrt(np.maximum(values, 0.0))

    def _log_survival(self, theta: FloatArray, time: float) -> float:
        found = self._fit.model.log_survival(theta, np.array([time]), self._place)
        return float(found[0])

    def _with_error(self, function: Callable[[FloatArray], float]) -> tuple[float, float]:
        """Give a function of the parameters and its standard error by the delta method."""
        value = function(self._fit.theta)
        if self._axes is None or not np.isfinite(value):
            return value, float("nan")
        return value, float(np.linalg.norm(slope(function, self._fit.theta, self._axes)))

    def survival(self, time: float) -> Interval:
        """Survival at a time; its interval is made on the scale ln(-ln S)."""
        with np.errstate(all="ignore"):
            value, error = self._with_error(
                lambda theta: float(np.log(-self._log_survival(theta, time)))
            )
            low = np.exp(-np.exp(value + Z95 * error))
            high = np.exp(-np.exp(value - Z95 * error))
        return Interval(value=float(np.exp(-np.exp(value))), low=float(low), high=float(high))

    def quantile(self, failed: float) -> float:
        return float(self._fit.model.quantile(self._fit.theta, failed, self._place)[0])

    def rmst(self, end: float) -> Interval:
        value, error = self._with_error(
            lambda theta: self._fit.model.restricted_mean(theta, end, self._place)
        )
        return Interval(value=value, low=value - Z95 * error, high=value + Z95 * error)

    def mean(self, per_year: float) -> float:
        end = _FAR * per_year
        if not np.exp(self._log_survival(self._fit.theta, end)) < _CLOSED:
            return float("nan")
        return self._fit.model.restricted_mean(self._fit.theta, end, self._place)

    def hazard(self, time: FloatArray) -> FloatArray:
        places = np.repeat(self._place, len(time))
        with np.errstate(all="ignore"):
            return np.exp(self._fit.model.log_hazard(self._fit.theta, time, places))
