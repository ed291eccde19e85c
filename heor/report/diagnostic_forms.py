"""Diagnostics of patient data on the terminal and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from heor.fitting.cox import Proportionality, ScoreTest
from heor.fitting.diagnostics import Diagnostics, GroupDiagnostics
from heor.fitting.nonparametric import SCALES, QuantilePlot
from heor.report.numbers import NONE, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Scales on which a family is a straight line, in words.
SCALE_WORDS = {
    "log_cumulative_hazard": "ln(-ln S)",
    "log_odds": "log odds",
    "normal": "normal quantile",
}

#: Transformations of time in words.
TRANSFORM_WORDS = {"identity": "t", "log": "ln t", "km": "1 - S(t)", "rank": "rank"}


def to_json(found: Diagnostics, unit: str) -> dict[str, Any]:
    """`heor fit --diagnostics` (docs/json.md)."""
    proportional = found.proportional
    return {
        "time_unit": unit,
        "groups": [_group_json(one, found) for one in found.groups],
        "quantiles": [_quantile_json(plot) for plot in found.quantiles],
        "proportional_hazards": None if proportional is None else _hazards_json(proportional),
        "notes": list(found.notes),
    }


def _group_json(one: GroupDiagnostics, found: Diagnostics) -> dict[str, Any]:
    curve, hazard = one.observed, one.hazard
    return {
        "group": one.group,
        "kaplan_meier": {
            "time": curve.time.tolist(),
            "survival": curve.survival.tolist(),
            "low": curve.low.tolist(),
            "high": curve.high.tolist(),
            "at_risk": curve.at_risk.tolist(),
            "events": curve.events.tolist(),
            "censored": curve.censored.tolist(),
        },
        "at_risk": {"time": found.risk_time.tolist(), "number": one.at_risk.tolist()},
        "smoothed_hazard": None
        if hazard is None
        else {
            "time": hazard.time.tolist(),
            "hazard": hazard.hazard.tolist(),
            "low": hazard.low.tolist(),
            "high": hazard.high.tolist(),
            "bandwidth": hazard.bandwidth,
        },
        "straight_lines": [
            {
                "scale": line.scale,
                "family": SCALES[line.scale],
                "slope": line.slope,
                "intercept": line.intercept,
                "r_squared": line.explained,
            }
            for line in one.lines
        ],
        "notes": list(one.notes),
    }


def _quantile_json(plot: QuantilePlot) -> dict[str, Any]:
    return {
        "reference": plot.reference,
        "group": plot.group,
        "factor": plot.factor,
        "smallest": plot.low,
        "largest": plot.high,
        "share": plot.share.tolist(),
        "reference_time": plot.reference_time.tolist(),
        "time": plot.time.tolist(),
    }


def _hazards_json(found: Proportionality) -> dict[str, Any]:
    ratios = [found.hazard_ratio(place) for place in range(len(found.groups))]
    return {
        "reference": found.reference,
        "groups": [
            {"group": group, "hazard_ratio": ratio, "low": low, "high": high}
            for group, (ratio, low, high) in zip(found.groups, ratios, strict=True)
        ],
        "tests": [
            {
                "transform": test.transform,
                "groups": [
                    {"group": group, **_test_json(one)}
                    for group, one in zip(found.groups, test.each, strict=True)
                ],
                "global": _test_json(test.together),
            }
            for test in found.tests
        ],
        "residuals": {
            "time": found.fit.time.tolist(),
            "scaled": found.fit.scaled_residuals.T.tolist(),
        },
    }


def _test_json(one: ScoreTest) -> dict[str, Any]:
    return {"statistic": one.statistic, "degrees": one.degrees, "p": one.p}


def tables(found: Diagnostics, unit: str) -> list[RenderableType]:
    """Print straight lines, quantiles and the test of proportional hazards, and what to look at."""
    parts: list[RenderableType] = []
    if any(one.lines for one in found.groups):
        parts += [_line_table(found)]
    parts += [_quantile_table(found)] if found.quantiles else []
    if found.proportional is not None:
        parts += [_hazards_table(found.proportional)]
        parts.append(
            "p: score tests of a trend of the log hazard ratio in t, ln t, 1 - S(t) and the rank "
            "of t (Grambsch & Therneau 1994); small ones speak against proportional hazards."
        )
    for one in found.groups:
        where = f"{one.group}: " if one.group else ""
        parts += [f"Note: {where}{note}" for note in one.notes]
    return [*parts, *(f"Note: {note}" for note in found.notes)]


def _line_table(found: Diagnostics) -> RenderableType:
    from heor.report.layout import make_table

    heads = [h for s in SCALES for h in (f"{SCALE_WORDS[s]}: slope", "R²")]
    grouped = len(found.groups) > 1
    title = "Kaplan-Meier as straight lines in ln t (Weibull, log-logistic, log-normal)"
    table = make_table(title, (*(("Group",) if grouped else ()), *heads), words=(0,) * grouped)
    for one in found.groups:
        cells = [c for line in one.lines for c in (plain(line.slope), f"{line.explained:.3f}")]
        table.add_row(*((one.group,) if grouped else ()), *(cells or [NONE] * len(heads)))
    return table


def _quantile_table(found: Diagnostics) -> RenderableType:
    from heor.report.layout import make_table

    title = f"Quantiles against {found.quantiles[0].reference}: ratio of times"
    table = make_table(title, ("Group", "Mean", "Smallest", "Largest", "Up to"))
    for plot in found.quantiles:
        numbers = (plain(value) for value in (plot.factor, plot.low, plot.high))
        table.add_row(plot.group, *numbers, f"{100 * plot.share[-1]:.0f}%")
    return table


def _hazards_table(found: Proportionality) -> RenderableType:
    from heor.report.layout import make_table

    heads = [f"p, {TRANSFORM_WORDS[test.transform]}" for test in found.tests]
    title = f"Hazard ratio against {found.reference} (Cox, Efron's ties), and if it is constant"
    table = make_table(title, ("Group", "HR", "95% low", "95% high", *heads))
    for place, group in enumerate(found.groups):
        numbers = (plain(value) for value in found.hazard_ratio(place))
        table.add_row(group, *numbers, *(p_value(test.each[place].p) for test in found.tests))
    if len(found.groups) > 1:
        table.add_row("all", *([NONE] * 3), *(p_value(test.together.p) for test in found.tests))
    return table


def p_value(p: float) -> str:
    """A probability as papers print it.

    Examples
    --------
    >>> p_value(0.04312), p_value(2e-8)
    ('0.043', '<0.001')
    """
    return NONE if math.isnan(p) else f"{p:.3f}" if p >= 0.0005 else "<0.001"
