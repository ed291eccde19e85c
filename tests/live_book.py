"""The input end of a report workbook alone: tables, Control, and what makes their cells numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from family_numbers import family_numbers, most_knots

from heor.analyses.study_results import StudyResults
from heor.engine.timeline import Timeline
from heor.report.sheets import inputs, live_tables, psa
from heor.report.sheets.calc_inputs import TITLE_INPUTS
from heor.report.sheets.calc_settings import TITLE_SETTINGS
from heor.report.sheets.constants import CONSTANTS
from heor.report.sheets.control import TITLE_CONTROL
from heor.report.sheets.layout import Context
from heor.report.sheets.live_inputs import FAR, TITLE_KM
from heor.report.sheets.scenarios_live import TITLE_SCENARIOS
from heor.report.xlsx import writing
from heor.spec.expressions import Expression
from heor.spec.parameters import FloatArray
from heor.spec.records import UNITS_PER_YEAR, Spec

Value = float | str

#: Optional numbers of a curve and what a blank counts as.
NEUTRAL = {
    "delay": 0.0,
    "acceleration": 1.0,
    "hazard_ratio": 1.0,
    "hr_from": 0.0,
    "hr_until": 0.0,
    "cure_fraction": 0.0,
    "early_mortality": 0.0,
    "early_period": 1.0,
    "km_until": 0.0,
    "pfs_death_share": 0.0,
}
WORDS = ("cycle_correction", "discounting", "crossing", "background_mortality", "utility_cap")


def write_live_book(results: StudyResults, path: Path) -> Context:
    """Write a workbook of the input end and give the context that knows its cells."""
    spec = results.spec
    with writing(path) as book:
        names = inputs.parameter_names(spec.tables["parameters"])
        ctx = Context(results=results, book=book, traces={}, names=names)
        wanted = {
            TITLE_CONTROL: True,
            **dict.fromkeys(spec.tables, True),
            TITLE_SETTINGS: True,
            TITLE_SCENARIOS: bool(spec.scenarios),
            TITLE_INPUTS: True,
            TITLE_KM: bool(spec.km),
            CONSTANTS: True,
            psa.DRAWS_TITLE: results.psa is not None,
        }
        for title in (title for title, here in wanted.items() if here):
            book.reserve(title)
        psa.register_draws(ctx)
        live_tables.write_live(ctx)
        if results.psa is not None:
            psa.write_draws(ctx, book.sheet(psa.DRAWS_TITLE))
    return ctx


def expected(spec: Spec, values: Mapping[str, float] | None = None) -> dict[str, Value]:
    """What the live cells of a study hold, from its records; ``values`` are of a draw."""
    known = {p.id: p.value for p in spec.parameters.values()} if values is None else values
    arrays: dict[str, FloatArray] = {name: np.array([x]) for name, x in known.items()}

    def number(expression: Expression | None, blank: float) -> float:
        return blank if expression is None else float(expression.evaluate(arrays, 1)[0])

    out: dict[str, Value] = {f"param {name}": value for name, value in known.items()}
    out |= _settings(spec)
    settings = spec.settings
    out |= {
        f"{key}": number(getattr(settings, key), 0.0)
        for key in ("smr", "start_age", "male_share")
        if getattr(settings, key) is not None
    }
    knots = most_knots(spec)
    for i, c in enumerate(spec.curves):
        row: dict[str, Value] = {
            "id": c.id,
            "family": f"{c.family} {c.scale}".strip(),
            "pps_family": f"{c.pps_family} {c.pps_scale}".strip(),
        }
        row |= {"weight": number(c.weight, 1.0), "per year": UNITS_PER_YEAR[c.time_unit]}
        row |= {name: number(getattr(c, name), blank) for name, blank in NEUTRAL.items()}
        row |= {f"has_{n}": float(getattr(c, n) is not None) for n in ("hr_until", "km_until")}
        if any(curve.wane_to for curve in spec.curves):
            row |= {"wane_to": c.wane_to, "wane": c.wane or "hazard"}
            row["wane_from"] = number(c.wane_from, 0.0)
            row["wane_until"] = number(c.wane_until or c.wane_from, 0.0)
        if any(curve.average_weight is not None for curve in spec.curves):
            row["average_weight"] = number(c.average_weight, 0.0)
        for letter, family, given in (
            ("p", c.family, c.parameters),
            ("q", c.pps_family, c.pps_parameters),
        ):
            numbers = {name: number(e, 1.0) for name, e in given.items()}
            filled = family_numbers(family, numbers, knots[letter])
            filled += [1.0] * (3 - len(filled))
            row |= {f"{letter}{n + 1}": value for n, value in enumerate(filled)}
        out |= {f"curves {i} {key}": value for key, value in row.items()}
        if c.use:
            out[f"row {c.strategy}.{c.endpoint}.{c.group}"] = i + 1.0
    for i, u in enumerate(spec.utilities):
        out[f"utilities {i} value"] = number(u.value, 1.0)
        out |= _window(f"utilities {i}", u.start, u.until, u.time_unit)
    for i, cost in enumerate(spec.costs):
        out[f"costs {i} amount"] = number(cost.amount, 0.0)
        out[f"costs {i} per"] = UNITS_PER_YEAR[cost.per or "year"]
        out |= _window(f"costs {i}", cost.start, cost.until, cost.time_unit)
        if cost.every is not None:
            out[f"costs {i} every"] = cost.every / UNITS_PER_YEAR[cost.time_unit]
    for i, event in enumerate(spec.adverse_events):
        for name in ("probability", "cost", "disutility", "duration_days"):
            out[f"adverse_events {i} {name}"] = number(getattr(event, name), 0.0)
    return out


def _window(row: str, start: float | None, until: float | None, unit: str) -> dict[str, Value]:
    per_year = UNITS_PER_YEAR[unit or "year"]
    end = FAR if until is None else until / per_year
    return {f"{row} from": (start or 0.0) / per_year, f"{row} until": end}


def _settings(spec: Spec) -> dict[str, Value]:
    s = spec.settings
    left = {"trapezoid": 0.5, "start": 1.0, "end": 0.0}[s.cycle_correction]
    out: dict[str, Value] = {
        "cycle": s.cycle_length,
        "horizon": s.horizon,
        "cycles": float(Timeline(s).cycles),
        "left share": left,
        "right share": 1.0 - left,
        "age_adjusted_utilities": "yes" if s.age_adjusted_utilities else "no",
        "evlyg_utility": s.evlyg_utility,
        "severity_weight": s.severity_weight,
    }
    out |= {key: getattr(s, key) for key in WORDS}
    out |= {f"threshold {i}": value for i, value in enumerate(s.thresholds)}
    for name in ("costs", "outcomes"):
        rate = getattr(s, f"discount_rate_{name}")
        out[f"rate {name} first"] = rate.first
        out[f"rate {name} step"] = rate.step_year or 0.0
        out[f"rate {name} later"] = rate.first if rate.later is None else rate.later
    return out
