"""Fitted and calibrated curves on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from heor.fitting.calibrate import Calibration, Constraint
from heor.fitting.compare import LANDMARKS, Candidate, Comparison, Interval, intervals
from heor.fitting.landmarks import Curve
from heor.fitting.models import Model
from heor.fitting.targets import Target
from heor.report.numbers import NONE, count, percent, plain
from heor.spec.records import UNITS_PER_YEAR

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Columns of the CSV before the landmarks, and after them.
_FIRST = ("group", "family", "form", "subjects", "events", "parameters", "loglik", "aic")
_FIT = ("bic", "bic_events", "aic_weight", "sound", "median")
_LAST = ("rmst", "mean", "hazard", "targets_met", "targets_missed", "estimates", "problem")

#: Targets in one table.
_TARGETS = 4

#: What the two Bayesian criteria count.
BIC_WORDS = "BIC counts subjects; BIC (events) counts events (Volinsky & Raftery 2000)."


def scales(model: Model) -> dict[str, str]:
    """Scale on which each number is estimated and its covariance stands."""
    found = {}
    for name, log in zip(model.names, model.on_log_scale, strict=True):
        found[name] = "logit" if name == "cure" else "log" if log else "identity"
    return found


def to_json(
    comparisons: Sequence[Comparison], unit: str, horizon: float, excess: bool
) -> list[dict[str, Any]]:
    """A row per group and family: `heor fit --json` (docs/json.md)."""
    return [
        _row(group, one, unit, horizon, excess) for group in comparisons for one in group.candidates
    ]


def _row(
    group: Comparison, one: Candidate, unit: str, horizon: float, excess: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "family": one.family,
        "form": one.form,
        "group": group.group,
        "together": group.together,
        "time_unit": unit,
        "subjects": group.subjects,
        "events": group.events,
        "observed": {
            "follow_up": group.last,
            "median": group.median,
            "survival": [
                {"years": years, "value": value}
                for years, value in zip(LANDMARKS, group.survival, strict=True)
            ],
        },
        "sound": one.fit is not None and one.fit.sound,
        "problem": one.problem,
    }
    if one.fit is None:
        return found
    model = one.fit.model
    return {
        **found,
        "estimates": {name: number.value for name, number in one.parameters.items()},
        "intervals": {name: [n.low, n.high] for name, n in one.parameters.items()},
        "knots": list(model.knots),
        "scale": scales(model),
        "theta": one.fit.theta.tolist(),
        "covariance": one.fit.covariance.tolist(),
        "loglik": one.fit.log_likelihood,
        "aic": one.fit.aic,
        "bic": one.fit.bic,
        "bic_events": one.fit.bic_events,
        "aic_weight": one.weight,
        "median": one.median,
        "survival": [
            {"years": years, **_interval(number)}
            for years, number in zip(LANDMARKS, one.survival, strict=True)
        ],
        "rmst": one.rmst.value,
        "rmst_interval": [one.rmst.low, one.rmst.high],
        "horizon": horizon,
        "mean": one.mean,
        "hazard": one.hazard,
        "targets": [
            {
                "time": reached.target.time,
                "wanted": reached.target.survival,
                "low": reached.target.low,
                "high": reached.target.high,
                "source": reached.target.source,
                "reached": reached.survival,
                "met": reached.met,
            }
            for reached in one.targets
        ],
        "survival_is": "relative" if excess else "all-cause",
    }


def _interval(number: Interval) -> dict[str, float]:
    return {"value": number.value, "low": number.low, "high": number.high}


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """A row per group and family; estimates in one cell, parted by ``;``."""
    text = io.StringIO()
    marks = [f"survival_{years}" for years in LANDMARKS]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_FIRST, *_FIT, *marks, *_LAST))
    for group in comparisons:
        for one in group.candidates:
            writer.writerow(_cells(group, one))
    return text.getvalue()


def _cells(group: Comparison, one: Candidate) -> list[object]:
    who = [group.group, one.family, one.form, group.subjects, group.events]
    if one.fit is None:
        return [*who, *([""] * (len(_FIRST + _FIT + LANDMARKS + _LAST) - 6)), one.problem]
    fit = one.fit
    estimates = "; ".join(f"{name}={number.value!r}" for name, number in one.parameters.items())
    return [
        *who,
        len(fit.theta),
        *(fit.log_likelihood, fit.aic, fit.bic, fit.bic_events, one.weight),
        "yes" if fit.sound else "no",
        _blank(one.median),
        *(number.value for number in one.survival),
        *(one.rmst.value, _blank(one.mean), one.hazard, one.met(True), one.met(False)),
        *(estimates, one.problem),
    ]


def _blank(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def fit_tables(
    comparisons: Sequence[Comparison], unit: str, horizon: float, excess: bool
) -> list[RenderableType]:
    """Print each group's candidates: fit, curves, hazards, parameters, and what to look at."""
    parts: list[RenderableType] = []
    for group in comparisons:
        where = f"{group.group}: " if group.group else ""
        if parts:
            parts.append("")
        parts.append(
            f"{where}{_people(group.subjects, 'subject')}, {_people(group.events, 'event')}, "
            "followed for up to "
            f"{plain(group.last)} {unit}s."
        )
        if not group.together:
            parts.append(_fit_table(group, where))
        elif group is comparisons[0]:
            parts.append(_fit_table(group, "All groups: "))
        parts += [
            _curve_table(group, where, unit, horizon),
            _hazard_table(group, where, unit, horizon),
            *_target_tables(group, where, unit),
        ]
        if not group.together or group is comparisons[-1]:
            parts.append(_parameter_table(group, "All groups: " if group.together else where))
        parts += [f"Note: {note}" for note in group.notes]
    parts.append(
        f"Sound: the gradient vanishes and the Hessian is negative definite. {BIC_WORDS} "
        "AIC weights are shares among the sound fits. Intervals are 95%."
    )
    if comparisons[0].together:
        parts.append(
            f"All groups share one model; effects are against `{comparisons[0].group}`, on the "
            "location parameter's estimation scale."
        )
    if excess:
        parts.append(
            "Curves are relative survival: all-cause survival is this times that of the general "
            "population (`hazard` = `excess` in a study, as --rows writes it)."
        )
    return parts


def _fit_table(group: Comparison, where: str) -> RenderableType:
    from heor.report.layout import make_table

    headings = ("Family", "Numbers", "logLik", "AIC", "BIC", "BIC (events)", "AIC weight", "Sound")
    table = make_table(f"{where}Fit", headings, words=(0, 7))
    for one in group.candidates:
        if one.fit is None:
            table.add_row(one.label, *([NONE] * 6), "no fit")
            continue
        fit = one.fit
        table.add_row(
            one.label,
            str(len(fit.theta)),
            f"{fit.log_likelihood:.3f}",
            f"{fit.aic:.2f}",
            f"{fit.bic:.2f}",
            f"{fit.bic_events:.2f}",
            percent(one.weight),
            "yes" if fit.sound else "no",
        )
    return table


def _curve_table(group: Comparison, where: str, unit: str, horizon: float) -> RenderableType:
    from heor.report.layout import make_table

    marks = [f"S {years}y" for years in LANDMARKS]
    headings = ("Family", "Median", *marks, f"RMST {horizon:g}y")
    table = make_table(f"{where}Curves, in {unit}s", headings)
    table.add_row(
        "observed",
        _number(group.median),
        *(_share(value) for value in group.survival),
        NONE,
    )
    for one in group.candidates:
        if one.fit is None:
            continue
        table.add_row(
            one.label,
            _number(one.median),
            *(_share(number.value) for number in one.survival),
            _number(one.rmst.value),
        )
    return table


def _target_tables(group: Comparison, where: str, unit: str) -> list[RenderableType]:
    """What each curve gives for numbers from elsewhere, a few to a table."""
    from heor.report.layout import make_table

    found: list[RenderableType] = []
    for first in range(0, len(group.targets), _TARGETS):
        some = group.targets[first : first + _TARGETS]
        heads = [f"S({target.time:g})" for target in some]
        table = make_table(f"{where}Targets, time in {unit}s", ("Family", *heads))
        table.add_row("wanted", *(_wanted_share(target) for target in some))
        for one in group.candidates:
            if one.targets:
                reached = one.targets[first : first + _TARGETS]
                table.add_row(one.label, *(_verdict(r.survival, r.met) for r in reached))
        found.append(table)
    sources = dict.fromkeys(target.source for target in group.targets if target.source)
    return [*found, *([f"Targets from: {'; '.join(sources)}."] if sources else [])]


def _wanted_share(target: Target) -> str:
    if target.low is None or target.high is None:
        return _share(target.survival)
    return f"{_share(target.survival)} ({_share(target.low)} to {_share(target.high)})"


def _verdict(survival: float, met: bool | None) -> str:
    word = "" if met is None else " met" if met else " missed"
    return f"{_share(survival)}{word}"


def _hazard_table(group: Comparison, where: str, unit: str, horizon: float) -> RenderableType:
    from heor.report.layout import make_table

    title = f"{where}Mean, and hazard from the first event to {horizon:g} years, in {unit}s"
    table = make_table(title, ("Family", "Mean", "Hazard"), words=(0, 2))
    for one in group.candidates:
        if one.hazard:
            table.add_row(one.label, _number(one.mean), one.hazard)
    return table


def _parameter_table(group: Comparison, where: str) -> RenderableType:
    from heor.report.layout import make_table

    headings = ("Family", "Parameter", "Estimate", "95% low", "95% high")
    table = make_table(f"{where}Parameters", headings, words=(0, 1))
    for one in group.candidates:
        for place, (name, number) in enumerate(one.parameters.items()):
            label = one.label if place == 0 else ""
            table.add_row(label, name, *map(_number, (number.value, number.low, number.high)))
    return table


def _people(number: float, one: str) -> str:
    """A number of people, which weights may leave broken."""
    return count(int(number), one) if number.is_integer() else f"{plain(number)} {one}s"


def _number(value: float) -> str:
    return plain(value) if math.isfinite(value) else NONE


def _share(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else NONE


def calibration_json(
    found: Calibration, constraints: Sequence[Constraint], unit: str
) -> dict[str, Any]:
    """`heor calibrate --json` (docs/json.md)."""
    model = found.model
    covariance = found.covariance
    return {
        "family": model.family.name,
        "time_unit": unit,
        "estimates": model.natural(found.theta),
        "scale": scales(model),
        "theta": found.theta.tolist(),
        "covariance": None if covariance is None else covariance.tolist(),
        "exact": found.exact,
        "numbers": [
            {
                "kind": "median" if one.of_time else "survival",
                "time": None if one.of_time else one.time,
                "wanted": _wanted(one),
                "low": one.low,
                "high": one.high,
                "reached": reached,
                "difference": reached - _wanted(one),
            }
            for one, reached in zip(constraints, found.reached, strict=True)
        ],
        "survival": [
            {"years": years, "value": value}
            for years, value in zip(LANDMARKS, _landmarks(found, unit), strict=True)
        ],
    }


def _landmarks(found: Calibration, unit: str) -> list[float]:
    shares = found.survival(np.array(LANDMARKS) * UNITS_PER_YEAR[unit])
    return [float(share) for share in shares]


def _wanted(one: Constraint) -> float:
    return one.time if one.of_time else one.share


def inputs_json(curve: Curve) -> list[dict[str, Any]]:
    """What rows of landmarks draw, as `heor calibrate --json` shows it."""
    return [
        {
            "id": one.id,
            "value": one.value,
            "distribution": one.distribution,
            "a": one.a,
            "b": one.b,
            "low": one.low,
            "high": one.high,
        }
        for one in curve.inputs
    ]


def inputs_table(curve: Curve) -> RenderableType:
    """Print what rows of landmarks draw, and what follows from it."""
    from heor.report.layout import make_table

    table = make_table("What is drawn", ("Id", "Value", "Distribution", "Interval"), words=(0, 2))
    for one in curve.inputs:
        drawn, between = "fixed", NONE
        if one.a is not None and one.b is not None:
            drawn = f"{one.distribution}({plain(one.a)}, {plain(one.b)})"
        if one.low is not None and one.high is not None:
            between = f"{plain(one.low)} to {plain(one.high)}"
        table.add_row(one.id, plain(one.value), drawn, between)
    for key, _, formula in curve.formulas:
        table.add_row(key, NONE, formula, NONE)
    return table


def calibration_tables(
    found: Calibration, constraints: Sequence[Constraint], unit: str
) -> list[RenderableType]:
    """Print the parameters, what is met and by how much, and where the curve goes."""
    from heor.report.layout import make_table

    how = (
        "Every number is met."
        if found.exact
        else "The curve comes as near as it can: least squares in ln time and ln(-ln S), "
        + ("weighted by the intervals." if found.covariance is not None else "unweighted.")
    )
    met = make_table("Published numbers", ("", "Wanted", "Reached", "Off", "95% interval"))
    for one, reached in zip(constraints, found.reached, strict=True):
        wanted = _wanted(one)
        label = f"Median, {unit}s" if one.of_time else f"Survival at {one.time:g} {unit}s"
        inside = NONE
        if one.low is not None and one.high is not None:
            inside = "inside" if one.low <= reached <= one.high else "outside"
        off = reached - wanted
        small = abs(off) < 1e-9 * max(1.0, abs(wanted))
        met.add_row(label, plain(wanted), plain(reached), "0" if small else plain(off), inside)
    numbers = make_table(f"{found.model.family.name}", ("Parameter", "Estimate", "95% interval"))
    for name, number in intervals(found.model, found.theta, found.covariance).items():
        known = math.isfinite(number.low)
        between = f"{plain(number.low)} to {plain(number.high)}" if known else NONE
        numbers.add_row(name, plain(number.value), between)
    curve = make_table("Survival", ("Years", "S"), words=())
    for years, share in zip(LANDMARKS, _landmarks(found, unit), strict=True):
        curve.add_row(str(years), _share(share))
    words = count(len(constraints), "number")
    parameters = count(len(found.theta), "parameter")
    return [f"{words} for {parameters}. {how}", met, numbers, curve]
