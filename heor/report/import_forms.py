"""Imported fits on the terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from heor.fitting.compare import LANDMARKS
from heor.fitting.imported import Imported
from heor.report.numbers import NONE, plain
from heor.spec.records import UNITS_PER_YEAR

if TYPE_CHECKING:
    from rich.console import RenderableType


def to_json(fits: Sequence[Imported], unit: str) -> list[dict[str, Any]]:
    """A row per fit and group: `heor import-fit --json` (docs/json.md)."""
    return [_row(one, place, unit) for one in fits for place in range(len(one.model.groups))]


def _row(one: Imported, group: int, unit: str) -> dict[str, Any]:
    estimate, model = one.estimate, one.model
    covariance, draws = estimate.covariance, estimate.draws
    return {
        "program": one.program,
        "written_as": one.word,
        "place": one.place,
        "family": model.family.name,
        "form": estimate.form,
        "group": model.groups[group],
        "time_unit": unit,
        "parameters": _curve(one, group),
        "scale": _scales(one),
        "theta": estimate.theta.tolist(),
        "covariance": None if covariance is None else covariance.tolist(),
        "draws": 0 if draws is None else len(next(iter(draws.values()))),
        "knots": list(model.knots),
        "median": _median(one, group),
        "survival": [
            {"years": years, "value": value}
            for years, value in zip(LANDMARKS, _shares(one, group, unit), strict=True)
        ],
        "warnings": list(one.warnings),
    }


def _scales(one: Imported) -> dict[str, str]:
    model = one.model
    return {
        name: "logit" if name == "cure" else "log" if log else "identity"
        for name, log in zip(model.names, model.on_log_scale, strict=True)
    }


def _curve(one: Imported, group: int) -> dict[str, float]:
    """Our parameters of a group's curve, and its cured share."""
    model = one.model
    values = model.parameters(one.estimate.theta, np.array([group]))
    found = {
        name: float(np.ravel(value)[0])
        for name, value in zip(model.family.parameters, values, strict=True)
    }
    if model.cure:
        found["cure_fraction"] = float(1 / (1 + np.exp(-one.estimate.theta[len(model.own)])))
    return found


def _median(one: Imported, group: int) -> float:
    return float(one.model.quantile(one.estimate.theta, 0.5, np.array([group]))[0])


def _shares(one: Imported, group: int, unit: str) -> list[float]:
    shares = one.survival(np.array(LANDMARKS) * UNITS_PER_YEAR[unit], group)
    return [float(share) for share in shares]


def _words(one: Imported, group: int) -> str:
    """Parameters of a curve in words, knots together."""
    found = _curve(one, group)
    knots = [plain(value) for name, value in found.items() if name.startswith("knot")]
    words = [f"{name} {plain(v)}" for name, v in found.items() if not name.startswith("knot")]
    return ", ".join([*words, *([f"knots {' '.join(knots)}"] if knots else [])])


def import_tables(fits: Sequence[Imported], unit: str) -> list[RenderableType]:
    """Print what was read, the curves it makes, and what to know about it."""
    from heor.report.layout import make_table

    parts: list[RenderableType] = []
    for one in fits:
        model, estimate = one.model, one.estimate
        if parts:
            parts.append("")
        parts.append(f"{one.place}: {estimate.note}")
        numbers = make_table(
            f"{one.word}: numbers of the rows",
            ("Number", "Scale", "Value", "Standard error"),
            words=(0, 1),
        )
        errors = None if estimate.covariance is None else np.sqrt(np.diag(estimate.covariance))
        for place, (name, scale) in enumerate(_scales(one).items()):
            value = float(estimate.theta[place])
            error = NONE if errors is None else plain(float(errors[place]))
            if estimate.draws is not None:
                column = estimate.draws[name]
                value, scale = float(column.mean()), "as drawn"
                error = plain(float(column.std(ddof=1)))
            numbers.add_row(name.removeprefix("group:"), scale, plain(value), error)
        curves = make_table(
            f"Curves, in {unit}s",
            ("Group", "Median", *(f"S {years}y" for years in LANDMARKS)),
            words=(0,),
        )
        for place, group in enumerate(model.groups):
            median = _median(one, place)
            curves.add_row(
                group or "all",
                plain(median) if math.isfinite(median) else NONE,
                *(f"{share:.3f}" for share in _shares(one, place, unit)),
            )
        parts.append(numbers)
        for place, group in enumerate(model.groups):
            who = f"{group}: " if group else ""
            parts.append(f"{who}{model.family.name}, {_words(one, place)}.")
        parts.append(curves)
    return parts
